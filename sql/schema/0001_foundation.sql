-- 0001: every table of assay, and what makes an illegal state impossible whatever the functions do.
--
-- Rules of the busy tables stand in guard functions, one trigger a table, because a CHECK or a WHEN is parsed anew by
-- every statement that meets it: nine of them cost four times the insert they guard; a guard's expressions are
-- compiled once a session and cost a tenth of it.
--
-- Run once, by sql/apply.sh or assayctl, as assay-owner with search_path = assay, pg_catalog, inside one transaction.
-- Nobody but the owner may touch a table: programs reach them through the functions of sql/api.
--
-- Status numbers are those of the C enums (lib/store/*.h):
--   account        0 valid, 1 deactivated, 2 revoked
--   order          0 pending, 1 ready, 2 processing, 3 valid, 4 invalid
--   authorization  0 pending, 1 valid, 2 invalid, 3 deactivated, 4 expired, 5 revoked
--   challenge      0 pending, 1 processing, 2 valid, 3 invalid;  type: 0 none, 1 http-01, 2 dns-01, 3 tls-alpn-01
--
-- Work that waits for a worker carries two times. due_at: the keeper queues the row again from then on; it is indexed, so
-- it is written only where work begins, ends or is swept. held_until: nobody may claim the row before; a lease or the
-- pause before a retry; it is not indexed, so that a claim stays a HOT update.

-- What a function tells a caller about one object. code is enum store_code.
CREATE TYPE account_answer AS (
	code integer, id uuid, status integer, terms_agreed boolean, created_at timestamptz, jwk text, contacts text[],
	created boolean);
CREATE TYPE order_answer AS (
	code integer, id uuid, status integer, expires_at timestamptz, not_before timestamptz, not_after timestamptz,
	names text[], authz_ids uuid[], profile text, error text, has_certificate boolean);
CREATE TYPE authz_answer AS (
	code integer, id uuid, order_id uuid, status integer, name text, wildcard boolean, expires_at timestamptz,
	secret bytea, attempted integer, challenge integer, validated_at timestamptz, error text, queued boolean);

CREATE TABLE accounts (
	id uuid PRIMARY KEY,
	status smallint NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 2),
	terms_agreed boolean NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	closed_at timestamptz,
	thumbprint bytea NOT NULL UNIQUE CHECK (octet_length(thumbprint) = 32),
	jwk text NOT NULL,
	contacts text[] NOT NULL,
	CHECK ((status = 0) = (closed_at IS NULL))
);

CREATE TABLE blocked_keys (
	spki_sha256 bytea PRIMARY KEY CHECK (octet_length(spki_sha256) = 32),
	blocked_at timestamptz NOT NULL DEFAULT now(),
	actor text NOT NULL DEFAULT session_user,
	reason text NOT NULL
);

CREATE TABLE issuers (
	id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	sha256 bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
	name text NOT NULL,
	certificate bytea NOT NULL,
	chain_pem text NOT NULL,
	registered_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE orders (
	id uuid PRIMARY KEY,
	account_id uuid NOT NULL,
	expires_at timestamptz NOT NULL,
	due_at timestamptz,
	held_until timestamptz,
	not_before timestamptz,
	not_after timestamptz,
	status smallint NOT NULL,
	outstanding smallint NOT NULL, -- authorizations that are not valid yet
	attempt smallint NOT NULL DEFAULT 0,
	caa_due boolean NOT NULL DEFAULT false,
	profile text NOT NULL,
	names text[] NOT NULL,
	authz_ids uuid[] NOT NULL, -- one for each name, in the order of names
	spki_sha256 bytea,
	key_thumbprint bytea,
	serial bytea,
	csr bytea,
	error text
) PARTITION BY RANGE (id);
CREATE INDEX orders_account ON orders (account_id, id);
CREATE INDEX orders_due ON orders (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE authorizations (
	id uuid PRIMARY KEY,
	account_id uuid NOT NULL,
	order_id uuid NOT NULL, -- the order that made it
	expires_at timestamptz NOT NULL,
	due_at timestamptz,
	held_until timestamptz,
	validated_at timestamptz,
	caa_at timestamptz,
	status smallint NOT NULL DEFAULT 0,
	attempted smallint NOT NULL DEFAULT 0, -- type of the challenge responded to
	challenge smallint NOT NULL DEFAULT 0, -- its status
	attempt smallint NOT NULL DEFAULT 0, -- claims
	tries smallint NOT NULL DEFAULT 0,   -- claims that ended with "try again"
	wildcard boolean NOT NULL,
	name text NOT NULL, -- without "*."
	secret bytea NOT NULL,
	key_thumbprint bytea,
	error text
) PARTITION BY RANGE (id);
CREATE INDEX authorizations_due ON authorizations (due_at) WHERE due_at IS NOT NULL;

-- Which valid authorization a new order of the account may use for a name ("*." kept). A hint that spares newOrder a
-- search through partitions: the signer believes only the authorization itself.
CREATE TABLE reusable_authorizations (
	account_id uuid NOT NULL,
	name text NOT NULL,
	authz_id uuid NOT NULL,
	expires_at timestamptz NOT NULL,
	PRIMARY KEY (account_id, name)
) WITH (fillfactor = 80);

-- Evidence of every validation attempt (BR 5.4.1), kept with the partition of its authorization's id.
CREATE TABLE validations (
	authz_id uuid NOT NULL,
	attempt smallint NOT NULL,
	outcome smallint NOT NULL,
	at timestamptz NOT NULL DEFAULT now(),
	order_id uuid NOT NULL,
	account_id uuid NOT NULL,
	problem text,
	evidence text,
	PRIMARY KEY (authz_id, attempt)
) PARTITION BY RANGE (authz_id);

-- The authority on serial numbers: each is used once for ever, and an order has at most one that is not burnt.
CREATE TABLE serials (
	serial bytea PRIMARY KEY,
	order_id uuid NOT NULL,
	burnt_at timestamptz
);
CREATE UNIQUE INDEX serials_order ON serials (order_id) WHERE burnt_at IS NULL;

-- A row exists from before the key is used: tbs is what was going to be signed, der what came of it. A row that
-- stays without der is a burnt serial: nobody knows whether it was signed, so it is listed as superseded.
CREATE TABLE certificates (
	serial bytea PRIMARY KEY,
	order_id uuid NOT NULL,
	account_id uuid NOT NULL,
	not_before timestamptz NOT NULL,
	not_after timestamptz NOT NULL,
	reserved_at timestamptz NOT NULL DEFAULT now(),
	issued_at timestamptz,
	revoked_at timestamptz,
	reason smallint,
	issuer smallint NOT NULL,
	crl_shard smallint NOT NULL DEFAULT 0,
	spki_sha256 bytea NOT NULL,
	names text[] NOT NULL,
	tbs bytea,
	der bytea
) PARTITION BY RANGE (serial);
CREATE INDEX certificates_revoked ON certificates (issuer, crl_shard, serial) WHERE revoked_at IS NOT NULL;

-- Append-only. xid tells audit_seal which rows are final without making writers wait for each other.
CREATE SEQUENCE audit_id CACHE 64;
CREATE TABLE audit_log (
	at timestamptz NOT NULL DEFAULT now(),
	xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
	id bigint NOT NULL DEFAULT nextval('audit_id'),
	actor text NOT NULL DEFAULT session_user,
	action text NOT NULL,
	object text NOT NULL,
	detail text,
	PRIMARY KEY (xid, id, at)
) PARTITION BY RANGE (at);

-- The hash chain: seal n covers the rows whose xid is in [from_xid, to_xid).
CREATE TABLE audit_seals (
	seal bigint PRIMARY KEY,
	sealed_at timestamptz NOT NULL DEFAULT now(),
	from_xid xid8 NOT NULL,
	to_xid xid8 NOT NULL,
	entries integer NOT NULL,
	hash bytea NOT NULL CHECK (octet_length(hash) = 32),
	CHECK (from_xid < to_xid)
);

CREATE TABLE heartbeats (
	program text NOT NULL,
	host text NOT NULL,
	pid integer NOT NULL,
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (program, host, pid)
) WITH (fillfactor = 50);

-- How each partitioned table is cut, and the partitions there are. An UPDATE opens every partition of its
-- table (0.35 µs each), so they are wide; days may be changed and then counts for the partitions made later.
CREATE TABLE partitioned (
	parent text PRIMARY KEY,
	key text NOT NULL CHECK (key IN ('uuid', 'serial', 'time')),
	days integer NOT NULL CHECK (days BETWEEN 1 AND 366),
	page_fill integer NOT NULL CHECK (page_fill BETWEEN 10 AND 100)
);
INSERT INTO partitioned VALUES
	('orders', 'uuid', 28, 60),
	('authorizations', 'uuid', 28, 60),
	('validations', 'uuid', 28, 100),
	('certificates', 'serial', 28, 70),
	('audit_log', 'time', 28, 100);
CREATE TABLE partition_ranges (
	child text PRIMARY KEY,
	parent text NOT NULL REFERENCES partitioned,
	lower_at timestamptz NOT NULL,
	upper_at timestamptz NOT NULL,
	CHECK (lower_at < upper_at)
);

-- What may never happen.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'assay: % of % is not allowed', TG_ARGV[0], TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER accounts_moves BEFORE UPDATE OF status ON accounts FOR EACH ROW
	WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT (OLD.status = 0 AND NEW.status IN (1, 2)))
	EXECUTE FUNCTION refuse('this change of status');
CREATE TRIGGER accounts_birth BEFORE INSERT ON accounts FOR EACH ROW WHEN (NEW.status <> 0)
	EXECUTE FUNCTION refuse('this first status');
CREATE TRIGGER accounts_fixed BEFORE UPDATE OF id, created_at ON accounts FOR EACH ROW
	EXECUTE FUNCTION refuse('a change of what identifies a row');
CREATE TRIGGER accounts_kept BEFORE DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse('deleting a row');

-- State machines (RFC 8555 section 7.1.6), and what each state implies. Guards test for IS NOT TRUE: a NULL is a refusal.
CREATE FUNCTION orders_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	v_legal boolean;
BEGIN
	IF TG_OP = 'INSERT' THEN
		v_legal := NEW.status IN (0, 1) AND cardinality(NEW.names) > 0
			AND cardinality(NEW.names) = cardinality(NEW.authz_ids);
	ELSE
		v_legal := CASE OLD.status WHEN 0 THEN NEW.status IN (0, 1, 4) WHEN 1 THEN NEW.status IN (1, 2, 4)
				WHEN 2 THEN NEW.status IN (2, 3, 4) ELSE NEW.status = OLD.status END
			AND ((OLD.status = 1 AND NEW.status = 2) OR (OLD.csr IS NOT DISTINCT FROM NEW.csr
				AND OLD.spki_sha256 IS NOT DISTINCT FROM NEW.spki_sha256
				AND OLD.key_thumbprint IS NOT DISTINCT FROM NEW.key_thumbprint));
	END IF;
	IF (v_legal
		AND CASE NEW.status WHEN 0 THEN NEW.outstanding > 0 WHEN 4 THEN NEW.outstanding >= 0 ELSE NEW.outstanding = 0 END
		AND (NEW.status = 2) = (NEW.due_at IS NOT NULL)
		AND (NEW.status = 3) = (NEW.serial IS NOT NULL)
		AND (NEW.status = 4) = (NEW.error IS NOT NULL)
		AND (NEW.status NOT IN (2, 3) OR num_nulls(NEW.csr, NEW.spki_sha256, NEW.key_thumbprint) = 0)
		AND (NOT NEW.caa_due OR NEW.status = 2)) IS NOT TRUE
	THEN
		RAISE EXCEPTION 'assay: order % may not become status %', NEW.id, NEW.status
			USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER orders_guard BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION orders_guard();
CREATE TRIGGER orders_fixed BEFORE UPDATE OF id, account_id, names, authz_ids, profile, not_before, not_after, expires_at
	ON orders FOR EACH ROW EXECUTE FUNCTION refuse('a change of what was ordered');
CREATE TRIGGER orders_kept BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION refuse('deleting a row');

CREATE FUNCTION authorizations_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	v_legal boolean;
BEGIN
	IF TG_OP = 'INSERT' THEN
		v_legal := NEW.status = 0 AND NEW.challenge = 0 AND NEW.attempted = 0 AND octet_length(NEW.secret) = 32;
	ELSE
		v_legal := CASE OLD.status WHEN 0 THEN NEW.status IN (0, 1, 2, 3, 4) WHEN 1 THEN NEW.status IN (1, 3, 4, 5)
				ELSE NEW.status = OLD.status END
			AND CASE OLD.challenge WHEN 0 THEN NEW.challenge IN (0, 1) WHEN 1 THEN NEW.challenge IN (1, 2, 3)
				ELSE NEW.challenge = OLD.challenge END
			AND (OLD.attempted = 0 OR (OLD.attempted = NEW.attempted AND OLD.key_thumbprint = NEW.key_thumbprint));
	END IF;
	IF (v_legal
		AND NEW.attempted BETWEEN 0 AND 3
		AND (NEW.attempted = 0) = (NEW.key_thumbprint IS NULL)
		AND (NEW.attempted = 0) = (NEW.challenge = 0)
		AND (NEW.status <> 1 OR (NEW.challenge = 2 AND NEW.validated_at IS NOT NULL))
		AND (NEW.status <> 2 OR NEW.error IS NOT NULL)
		AND (NEW.status = 0 AND NEW.challenge = 1) = (NEW.due_at IS NOT NULL)
		-- http-01 and tls-alpn-01 prove one host, never a whole domain.
		AND (NOT NEW.wildcard OR NEW.attempted IN (0, 2))) IS NOT TRUE
	THEN
		RAISE EXCEPTION 'assay: authorization % may not become status %, challenge %', NEW.id, NEW.status, NEW.challenge
			USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER authorizations_guard BEFORE INSERT OR UPDATE ON authorizations FOR EACH ROW
	EXECUTE FUNCTION authorizations_guard();
CREATE TRIGGER authorizations_fixed BEFORE UPDATE OF id, account_id, order_id, name, wildcard, secret ON authorizations
	FOR EACH ROW EXECUTE FUNCTION refuse('a change of what is authorized');
CREATE TRIGGER authorizations_kept BEFORE DELETE ON authorizations FOR EACH ROW EXECUTE FUNCTION refuse('deleting a row');

-- Burning is all that happens to a serial. Whether a burnt one was signed is unknown: it is listed as superseded.
CREATE FUNCTION serials_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF (octet_length(NEW.serial) = 18 AND get_byte(NEW.serial, 0) = 64 AND NEW.burnt_at IS NULL) IS TRUE THEN
			RETURN NEW;
		END IF;
	ELSIF (OLD.burnt_at IS NULL AND NEW.burnt_at IS NOT NULL AND OLD.serial = NEW.serial
		AND OLD.order_id = NEW.order_id) IS TRUE
	THEN
		UPDATE assay.certificates c SET revoked_at = now(), reason = 4
			WHERE c.serial = NEW.serial AND c.revoked_at IS NULL;
		INSERT INTO assay.audit_log (action, object, detail)
			VALUES ('serial.burn', encode(NEW.serial, 'hex'), NEW.order_id::text);
		RETURN NEW;
	END IF;
	RAISE EXCEPTION 'assay: serial % may not be so', encode(NEW.serial, 'hex')
		USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER serials_guard BEFORE INSERT OR UPDATE ON serials FOR EACH ROW EXECUTE FUNCTION serials_guard();

-- The DER must be the recorded TBS with a signature behind it: a header of 3, 4 or 5 bytes, then the TBS, byte for byte.
-- A revocation is final; its reason may only become keyCompromise (1) later.
CREATE FUNCTION certificates_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	v_legal boolean;
BEGIN
	IF TG_OP = 'INSERT' THEN
		v_legal := NEW.not_before < NEW.not_after AND NEW.tbs IS NOT NULL
			AND num_nonnulls(NEW.der, NEW.issued_at, NEW.revoked_at) = 0;
	ELSIF OLD.der IS NULL AND NEW.der IS NOT NULL THEN
		v_legal := NEW.tbs IS NULL AND NEW.issued_at IS NOT NULL AND NEW.revoked_at IS NULL
			AND substring(NEW.der FROM get_byte(NEW.der, 1) - 125 FOR octet_length(OLD.tbs)) = OLD.tbs;
	ELSE
		v_legal := NEW.der IS NOT DISTINCT FROM OLD.der AND NEW.tbs IS NOT DISTINCT FROM OLD.tbs
			AND NEW.issued_at IS NOT DISTINCT FROM OLD.issued_at
			AND (OLD.revoked_at IS NULL OR (NEW.revoked_at = OLD.revoked_at
				AND (NEW.reason = OLD.reason OR NEW.reason = 1)));
	END IF;
	IF (v_legal
		AND (NEW.revoked_at IS NULL) = (NEW.reason IS NULL)
		AND coalesce(NEW.reason IN (0, 1, 2, 3, 4, 5, 6, 8, 9, 10), true)) IS NOT TRUE
	THEN
		RAISE EXCEPTION 'assay: certificate % may not be so', encode(NEW.serial, 'hex')
			USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER certificates_guard BEFORE INSERT OR UPDATE ON certificates FOR EACH ROW
	EXECUTE FUNCTION certificates_guard();
CREATE TRIGGER certificates_fixed BEFORE UPDATE OF serial, order_id, account_id, not_before, not_after, reserved_at,
	issuer, crl_shard, spki_sha256, names ON certificates FOR EACH ROW
	EXECUTE FUNCTION refuse('a change of what was certified');
CREATE TRIGGER certificates_kept BEFORE DELETE ON certificates FOR EACH ROW EXECUTE FUNCTION refuse('deleting a row');

CREATE TRIGGER validations_kept BEFORE UPDATE OR DELETE ON validations FOR EACH ROW
	EXECUTE FUNCTION refuse('changing a row');
CREATE TRIGGER audit_log_kept BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW
	EXECUTE FUNCTION refuse('changing a row');
CREATE TRIGGER audit_seals_kept BEFORE UPDATE OR DELETE ON audit_seals FOR EACH ROW
	EXECUTE FUNCTION refuse('changing a row');
CREATE TRIGGER blocked_keys_kept BEFORE UPDATE OR DELETE ON blocked_keys FOR EACH ROW
	EXECUTE FUNCTION refuse('changing a row');
CREATE TRIGGER accounts_whole BEFORE TRUNCATE ON accounts FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER orders_whole BEFORE TRUNCATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER authorizations_whole BEFORE TRUNCATE ON authorizations FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER certificates_whole BEFORE TRUNCATE ON certificates FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER validations_whole BEFORE TRUNCATE ON validations FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER audit_log_whole BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER audit_seals_whole BEFORE TRUNCATE ON audit_seals FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER blocked_keys_whole BEFORE TRUNCATE ON blocked_keys FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER serials_whole BEFORE TRUNCATE ON serials FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
