-- 0001: every table of assay, and what makes an illegal state impossible whatever the functions do.
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
	outcome smallint NOT NULL CHECK (outcome BETWEEN 0 AND 2),
	at timestamptz NOT NULL DEFAULT now(),
	order_id uuid NOT NULL,
	account_id uuid NOT NULL,
	problem text,
	evidence text,
	PRIMARY KEY (authz_id, attempt)
) PARTITION BY RANGE (authz_id);

-- The authority on serial numbers: each is used once for ever, and an order has at most one that is not burnt.
CREATE TABLE serials (
	serial bytea PRIMARY KEY CHECK (octet_length(serial) = 18 AND get_byte(serial, 0) = 64),
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

-- State machines (RFC 8555 section 7.1.6), and what must hold of a row in each state. On the busy tables one guard function
-- holds all of it: PostgreSQL parses CHECK and WHEN expressions anew for each statement, which cost more than the statement
-- (newOrder: half of its time), while a function's expressions stay compiled.
CREATE FUNCTION refuse_move() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RAISE EXCEPTION 'assay: % of % is not allowed', TG_ARGV[0], TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER accounts_moves BEFORE UPDATE OF status ON accounts FOR EACH ROW
	WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT (OLD.status = 0 AND NEW.status IN (1, 2)))
	EXECUTE FUNCTION refuse_move('this change of status');
CREATE TRIGGER accounts_birth BEFORE INSERT ON accounts FOR EACH ROW WHEN (NEW.status <> 0)
	EXECUTE FUNCTION refuse_move('this first status');
CREATE TRIGGER accounts_fixed BEFORE UPDATE OF id, created_at ON accounts FOR EACH ROW
	EXECUTE FUNCTION refuse_move('a change of what identifies a row');
CREATE TRIGGER accounts_kept BEFORE DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse_move('deleting a row');

CREATE FUNCTION orders_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF NEW.status NOT IN (0, 1) OR cardinality(NEW.names) = 0 OR cardinality(NEW.names) <> cardinality(NEW.authz_ids) THEN
			RAISE EXCEPTION 'assay: this new order is not allowed' USING ERRCODE = 'integrity_constraint_violation';
		END IF;
	ELSIF OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id OR OLD.names <> NEW.names OR OLD.authz_ids <> NEW.authz_ids
			OR OLD.profile <> NEW.profile OR OLD.expires_at <> NEW.expires_at
			OR OLD.not_before IS DISTINCT FROM NEW.not_before OR OLD.not_after IS DISTINCT FROM NEW.not_after THEN
		RAISE EXCEPTION 'assay: a change of what was ordered is not allowed' USING ERRCODE = 'integrity_constraint_violation';
	ELSIF OLD.status <> NEW.status AND NOT (OLD.status = 0 AND NEW.status IN (1, 4) OR OLD.status = 1 AND NEW.status IN (2, 4)
			OR OLD.status = 2 AND NEW.status IN (3, 4)) THEN
		RAISE EXCEPTION 'assay: this change of status of orders is not allowed'
			USING ERRCODE = 'integrity_constraint_violation';
	ELSIF (OLD.csr IS DISTINCT FROM NEW.csr OR OLD.spki_sha256 IS DISTINCT FROM NEW.spki_sha256
			OR OLD.key_thumbprint IS DISTINCT FROM NEW.key_thumbprint) AND NOT (OLD.status = 1 AND NEW.status = 2) THEN
		RAISE EXCEPTION 'assay: a change of the CSR is not allowed' USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	IF NOT (CASE NEW.status WHEN 0 THEN NEW.outstanding > 0 WHEN 4 THEN NEW.outstanding >= 0 ELSE NEW.outstanding = 0 END
			AND (NEW.status = 2) = (NEW.due_at IS NOT NULL) AND (NEW.status = 3) = (NEW.serial IS NOT NULL)
			AND (NEW.status = 4) = (NEW.error IS NOT NULL) AND (NOT NEW.caa_due OR NEW.status = 2)
			AND (NEW.status NOT IN (2, 3) OR (NEW.csr IS NOT NULL AND NEW.spki_sha256 IS NOT NULL
				AND NEW.key_thumbprint IS NOT NULL))) THEN
		RAISE EXCEPTION 'assay: this state of an order is not allowed' USING ERRCODE = 'check_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER orders_guard BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION orders_guard();
CREATE TRIGGER orders_kept BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION refuse_move('deleting a row');

CREATE FUNCTION authorizations_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF NEW.status <> 0 OR NEW.challenge <> 0 OR NEW.attempted <> 0 OR octet_length(NEW.secret) <> 32 THEN
			RAISE EXCEPTION 'assay: this new authorization is not allowed' USING ERRCODE = 'integrity_constraint_violation';
		END IF;
	ELSIF OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id OR OLD.order_id <> NEW.order_id OR OLD.name <> NEW.name
			OR OLD.wildcard <> NEW.wildcard OR OLD.secret <> NEW.secret THEN
		RAISE EXCEPTION 'assay: a change of what is authorized is not allowed'
			USING ERRCODE = 'integrity_constraint_violation';
	ELSIF OLD.status <> NEW.status AND NOT (OLD.status = 0 AND NEW.status IN (1, 2, 3, 4)
			OR OLD.status = 1 AND NEW.status IN (3, 4, 5)) THEN
		RAISE EXCEPTION 'assay: this change of status of authorizations is not allowed'
			USING ERRCODE = 'integrity_constraint_violation';
	ELSIF OLD.challenge <> NEW.challenge AND NOT (OLD.challenge = 0 AND NEW.challenge = 1
			OR OLD.challenge = 1 AND NEW.challenge IN (2, 3)) THEN
		RAISE EXCEPTION 'assay: this change of a challenge is not allowed' USING ERRCODE = 'integrity_constraint_violation';
	ELSIF OLD.attempted <> 0 AND (OLD.attempted <> NEW.attempted OR OLD.key_thumbprint IS DISTINCT FROM NEW.key_thumbprint) THEN
		RAISE EXCEPTION 'assay: a change of the attempted challenge is not allowed'
			USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	-- RFC 8555 section 8.3 proves one host, never a whole domain: wildcards need dns-01.
	IF NOT (NEW.attempted BETWEEN 0 AND 3 AND (NEW.attempted = 0) = (NEW.key_thumbprint IS NULL)
			AND (NEW.attempted <> 0 OR NEW.challenge = 0)
			AND (NEW.status <> 1 OR (NEW.challenge = 2 AND NEW.validated_at IS NOT NULL))
			AND (NEW.status <> 2 OR NEW.error IS NOT NULL)
			AND (NEW.status = 0 AND NEW.challenge = 1) = (NEW.due_at IS NOT NULL)
			AND (NOT NEW.wildcard OR NEW.attempted IN (0, 2))) THEN
		RAISE EXCEPTION 'assay: this state of an authorization is not allowed'
			USING ERRCODE = 'check_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER authorizations_guard BEFORE INSERT OR UPDATE ON authorizations FOR EACH ROW
	EXECUTE FUNCTION authorizations_guard();
CREATE TRIGGER authorizations_kept BEFORE DELETE ON authorizations FOR EACH ROW
	EXECUTE FUNCTION refuse_move('deleting a row');

CREATE TRIGGER serials_burnt BEFORE UPDATE ON serials FOR EACH ROW
	WHEN (OLD.burnt_at IS NOT NULL OR NEW.burnt_at IS NULL OR OLD.serial <> NEW.serial OR OLD.order_id <> NEW.order_id)
	EXECUTE FUNCTION refuse_move('changing a row');
-- Whether a burnt serial was signed is unknown: it is listed as superseded, and stays revocable.
CREATE FUNCTION serial_burn() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE certificates c SET revoked_at = now(), reason = 4 WHERE c.serial = NEW.serial AND c.revoked_at IS NULL;
	INSERT INTO audit_log (action, object, detail)
		VALUES ('serial.burn', encode(NEW.serial, 'hex'), NEW.order_id::text);
	RETURN NULL;
END $$;
CREATE TRIGGER serials_burn AFTER UPDATE OF burnt_at ON serials FOR EACH ROW EXECUTE FUNCTION serial_burn();

-- The DER must be the recorded TBS with a signature behind it: header of 3, 4 or 5 bytes, then the TBS, byte for byte.
-- A revocation is final; its reason may only become keyCompromise (1) later.
CREATE FUNCTION certificates_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF NEW.der IS NOT NULL OR NEW.not_before >= NEW.not_after THEN
			RAISE EXCEPTION 'assay: this new certificate is not allowed' USING ERRCODE = 'integrity_constraint_violation';
		END IF;
	ELSIF OLD.serial <> NEW.serial OR OLD.order_id <> NEW.order_id OR OLD.account_id <> NEW.account_id
			OR OLD.not_before <> NEW.not_before OR OLD.not_after <> NEW.not_after OR OLD.reserved_at <> NEW.reserved_at
			OR OLD.issuer <> NEW.issuer OR OLD.crl_shard <> NEW.crl_shard OR OLD.spki_sha256 <> NEW.spki_sha256
			OR OLD.names <> NEW.names THEN
		RAISE EXCEPTION 'assay: a change of what was certified is not allowed'
			USING ERRCODE = 'integrity_constraint_violation';
	ELSIF (OLD.tbs IS DISTINCT FROM NEW.tbs OR OLD.der IS DISTINCT FROM NEW.der OR OLD.issued_at IS DISTINCT FROM NEW.issued_at)
			AND (OLD.der IS NOT NULL OR NEW.der IS NULL
				OR substring(NEW.der FROM get_byte(NEW.der, 1) - 125 FOR octet_length(OLD.tbs)) <> OLD.tbs) THEN
		RAISE EXCEPTION 'assay: a certificate other than the reserved one is not allowed'
			USING ERRCODE = 'integrity_constraint_violation';
	ELSIF OLD.revoked_at IS NOT NULL AND (NEW.revoked_at IS DISTINCT FROM OLD.revoked_at
			OR (NEW.reason IS DISTINCT FROM OLD.reason AND NEW.reason IS DISTINCT FROM 1)) THEN
		RAISE EXCEPTION 'assay: undoing a revocation is not allowed' USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	IF NOT ((NEW.tbs IS NULL) = (NEW.der IS NOT NULL) AND (NEW.der IS NULL) = (NEW.issued_at IS NULL)
			AND (NEW.revoked_at IS NULL) = (NEW.reason IS NULL)
			AND (NEW.reason IS NULL OR (NEW.reason BETWEEN 0 AND 10 AND NEW.reason <> 7))) THEN
		RAISE EXCEPTION 'assay: this state of a certificate is not allowed'
			USING ERRCODE = 'check_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER certificates_guard BEFORE INSERT OR UPDATE ON certificates FOR EACH ROW EXECUTE FUNCTION certificates_guard();
CREATE TRIGGER certificates_kept BEFORE DELETE ON certificates FOR EACH ROW
	EXECUTE FUNCTION refuse_move('deleting a row');

CREATE TRIGGER validations_kept BEFORE UPDATE OR DELETE ON validations FOR EACH ROW
	EXECUTE FUNCTION refuse_move('changing a row');
CREATE TRIGGER audit_log_kept BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW
	EXECUTE FUNCTION refuse_move('changing a row');
CREATE TRIGGER audit_seals_kept BEFORE UPDATE OR DELETE ON audit_seals FOR EACH ROW
	EXECUTE FUNCTION refuse_move('changing a row');
CREATE TRIGGER blocked_keys_kept BEFORE UPDATE OR DELETE ON blocked_keys FOR EACH ROW
	EXECUTE FUNCTION refuse_move('changing a row');
CREATE TRIGGER accounts_whole BEFORE TRUNCATE ON accounts FOR EACH STATEMENT EXECUTE FUNCTION refuse_move('truncating');
CREATE TRIGGER orders_whole BEFORE TRUNCATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION refuse_move('truncating');
CREATE TRIGGER authorizations_whole BEFORE TRUNCATE ON authorizations FOR EACH STATEMENT EXECUTE FUNCTION refuse_move('truncating');
CREATE TRIGGER certificates_whole BEFORE TRUNCATE ON certificates FOR EACH STATEMENT EXECUTE FUNCTION refuse_move('truncating');
CREATE TRIGGER validations_whole BEFORE TRUNCATE ON validations FOR EACH STATEMENT EXECUTE FUNCTION refuse_move('truncating');
CREATE TRIGGER audit_log_whole BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_move('truncating');
CREATE TRIGGER audit_seals_whole BEFORE TRUNCATE ON audit_seals FOR EACH STATEMENT EXECUTE FUNCTION refuse_move('truncating');
CREATE TRIGGER blocked_keys_whole BEFORE TRUNCATE ON blocked_keys FOR EACH STATEMENT EXECUTE FUNCTION refuse_move('truncating');
CREATE TRIGGER serials_whole BEFORE TRUNCATE ON serials FOR EACH STATEMENT EXECUTE FUNCTION refuse_move('truncating');
