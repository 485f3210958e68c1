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
	status smallint NOT NULL CHECK (status BETWEEN 0 AND 4),
	outstanding smallint NOT NULL CHECK (outstanding >= 0), -- authorizations that are not valid yet
	attempt smallint NOT NULL DEFAULT 0,
	caa_due boolean NOT NULL DEFAULT false,
	profile text NOT NULL,
	names text[] NOT NULL,
	authz_ids uuid[] NOT NULL, -- one for each name, in the order of names
	spki_sha256 bytea,
	key_thumbprint bytea,
	serial bytea,
	csr bytea,
	error text,
	CHECK (cardinality(names) > 0 AND cardinality(names) = cardinality(authz_ids)),
	CHECK (CASE status WHEN 0 THEN outstanding > 0 WHEN 4 THEN true ELSE outstanding = 0 END),
	CHECK ((status = 2) = (due_at IS NOT NULL)),
	CHECK (status NOT IN (2, 3) OR (csr IS NOT NULL AND spki_sha256 IS NOT NULL AND key_thumbprint IS NOT NULL)),
	CHECK ((status = 3) = (serial IS NOT NULL)),
	CHECK ((status = 4) = (error IS NOT NULL)),
	CHECK (NOT caa_due OR status = 2)
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
	status smallint NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 5),
	attempted smallint NOT NULL DEFAULT 0 CHECK (attempted BETWEEN 0 AND 3), -- type of the challenge responded to
	challenge smallint NOT NULL DEFAULT 0 CHECK (challenge BETWEEN 0 AND 3), -- its status
	attempt smallint NOT NULL DEFAULT 0, -- claims
	tries smallint NOT NULL DEFAULT 0,   -- claims that ended with "try again"
	wildcard boolean NOT NULL,
	name text NOT NULL, -- without "*."
	secret bytea NOT NULL CHECK (octet_length(secret) = 32),
	key_thumbprint bytea,
	error text,
	CHECK ((attempted = 0) = (key_thumbprint IS NULL)),
	CHECK (attempted <> 0 OR challenge = 0),
	CHECK (status <> 1 OR (challenge = 2 AND validated_at IS NOT NULL)),
	CHECK (status <> 2 OR error IS NOT NULL),
	CHECK ((status = 0 AND challenge = 1) = (due_at IS NOT NULL)),
	-- RFC 8555 section 8.3 proves one host, never a whole domain: wildcards need dns-01.
	CHECK (NOT wildcard OR attempted IN (0, 2))
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
	reason smallint CHECK (reason BETWEEN 0 AND 10 AND reason <> 7),
	issuer smallint NOT NULL,
	crl_shard smallint NOT NULL DEFAULT 0,
	spki_sha256 bytea NOT NULL,
	names text[] NOT NULL,
	tbs bytea,
	der bytea,
	CHECK (not_before < not_after),
	CHECK ((tbs IS NULL) = (der IS NOT NULL)),
	CHECK ((der IS NULL) = (issued_at IS NULL)),
	CHECK ((revoked_at IS NULL) = (reason IS NULL))
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

-- State machines (RFC 8555 section 7.1.6). The WHEN clause is the table of legal moves, so that a legal update never
-- calls a function.
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

CREATE TRIGGER orders_moves BEFORE UPDATE OF status ON orders FOR EACH ROW
	WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT (
		(OLD.status = 0 AND NEW.status IN (1, 4)) OR (OLD.status = 1 AND NEW.status IN (2, 4)) OR
		(OLD.status = 2 AND NEW.status IN (3, 4))))
	EXECUTE FUNCTION refuse_move('this change of status');
CREATE TRIGGER orders_birth BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.status NOT IN (0, 1))
	EXECUTE FUNCTION refuse_move('this first status');
CREATE TRIGGER orders_fixed BEFORE UPDATE OF id, account_id, names, authz_ids, profile, not_before, not_after, expires_at
	ON orders FOR EACH ROW EXECUTE FUNCTION refuse_move('a change of what was ordered');
CREATE TRIGGER orders_key BEFORE UPDATE OF csr, spki_sha256, key_thumbprint ON orders FOR EACH ROW
	WHEN (OLD.status <> 1 OR NEW.status <> 2) EXECUTE FUNCTION refuse_move('a change of the CSR');
CREATE TRIGGER orders_kept BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION refuse_move('deleting a row');

CREATE TRIGGER authorizations_moves BEFORE UPDATE OF status ON authorizations FOR EACH ROW
	WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT (
		(OLD.status = 0 AND NEW.status IN (1, 2, 3, 4)) OR (OLD.status = 1 AND NEW.status IN (3, 4, 5))))
	EXECUTE FUNCTION refuse_move('this change of status');
CREATE TRIGGER authorizations_challenge BEFORE UPDATE OF challenge ON authorizations FOR EACH ROW
	WHEN (OLD.challenge IS DISTINCT FROM NEW.challenge AND NOT (
		(OLD.challenge = 0 AND NEW.challenge = 1) OR (OLD.challenge = 1 AND NEW.challenge IN (2, 3))))
	EXECUTE FUNCTION refuse_move('this change of a challenge');
CREATE TRIGGER authorizations_birth BEFORE INSERT ON authorizations FOR EACH ROW
	WHEN (NEW.status <> 0 OR NEW.challenge <> 0) EXECUTE FUNCTION refuse_move('this first status');
CREATE TRIGGER authorizations_fixed BEFORE UPDATE OF id, account_id, order_id, name, wildcard, secret ON authorizations
	FOR EACH ROW EXECUTE FUNCTION refuse_move('a change of what is authorized');
CREATE TRIGGER authorizations_attempted BEFORE UPDATE OF attempted, key_thumbprint ON authorizations FOR EACH ROW
	WHEN (OLD.attempted <> 0) EXECUTE FUNCTION refuse_move('a change of the attempted challenge');
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

CREATE TRIGGER certificates_fixed BEFORE UPDATE OF serial, order_id, account_id, not_before, not_after, reserved_at,
	issuer, crl_shard, spki_sha256, names ON certificates FOR EACH ROW
	EXECUTE FUNCTION refuse_move('a change of what was certified');
-- The DER must be the recorded TBS with a signature behind it: header of 3, 4 or 5 bytes, then the TBS, byte for byte.
CREATE TRIGGER certificates_signed BEFORE UPDATE OF tbs, der, issued_at ON certificates FOR EACH ROW
	WHEN (OLD.der IS NOT NULL OR NEW.der IS NULL OR
		substring(NEW.der FROM get_byte(NEW.der, 1) - 125 FOR octet_length(OLD.tbs)) IS DISTINCT FROM OLD.tbs)
	EXECUTE FUNCTION refuse_move('a certificate other than the reserved one');
-- A revocation is final; its reason may only become keyCompromise (1) later.
CREATE TRIGGER certificates_revocation BEFORE UPDATE OF revoked_at, reason ON certificates FOR EACH ROW
	WHEN (OLD.revoked_at IS NOT NULL AND (NEW.revoked_at IS DISTINCT FROM OLD.revoked_at OR
		(NEW.reason IS DISTINCT FROM OLD.reason AND NEW.reason <> 1)))
	EXECUTE FUNCTION refuse_move('undoing a revocation');
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
