-- 0004: revocation lists (RFC 5280 section 5) and what else is published as files.

-- How each issuer's certificates are told where it is published. not_after: behind it nothing of it needs a list.
CREATE TABLE issuer_locations (
	issuer smallint PRIMARY KEY REFERENCES issuers,
	not_after timestamptz NOT NULL,
	crl_url text, -- certificates name crl_url/SHARD.crl; set once, for certificates cannot be changed
	ca_issuers_path text UNIQUE -- below the folder that is served
);

-- One row a list: the shards of an issuer, and lists that are made elsewhere and brought here (issuer and shard NULL), as
-- a root's is. number, this_update … tell of the newest one, whose bytes are in crl_parts.
CREATE TABLE crl_shards (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	issuer smallint REFERENCES issuers,
	shard smallint CHECK (shard BETWEEN 1 AND 1024),
	url text NOT NULL,
	path text NOT NULL UNIQUE, -- of the URL, and of the file below the folder
	numbered bigint NOT NULL DEFAULT 0, -- the highest number that was ever given out for it
	number bigint NOT NULL DEFAULT 0,
	this_update timestamptz,
	next_update timestamptz,
	published_at timestamptz,
	entries bigint,
	size bigint,
	sha256 bytea,
	due_at timestamptz,
	held_until timestamptz,
	changes bigint NOT NULL DEFAULT 0, -- revocations so far, as crl_schedule counted them
	UNIQUE (issuer, shard),
	CHECK ((issuer IS NULL) = (shard IS NULL)),
	CHECK (number <= numbered),
	CHECK ((number = 0) = (this_update IS NULL)),
	CHECK (num_nulls(this_update, next_update, published_at, entries, size, sha256) IN (0, 6))
) WITH (fillfactor = 50);
CREATE INDEX crl_shards_due ON crl_shards (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX crl_shards_published ON crl_shards (published_at);

-- At most 64 KiB each, so that nobody ever holds a whole list in memory. Random bytes do not compress.
CREATE TABLE crl_parts (
	shard_id uuid NOT NULL REFERENCES crl_shards,
	number bigint NOT NULL,
	part integer NOT NULL CHECK (part >= 0),
	bytes bytea NOT NULL CHECK (octet_length(bytes) BETWEEN 1 AND 65536),
	PRIMARY KEY (shard_id, number, part)
);
ALTER TABLE crl_parts ALTER bytes SET STORAGE EXTERNAL;

-- Which shards a revocation touched, a row each: only ever added to, so that those who revoke never wait for each other
-- or for the shard's row. crl_schedule collects them.
CREATE TABLE crl_changes (
	issuer smallint NOT NULL,
	shard smallint NOT NULL,
	at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION certificates_crl() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.revoked_at IS NOT NULL AND NEW.crl_shard > 0
		AND (OLD.revoked_at IS NULL OR OLD.reason <> NEW.reason)
	THEN
		INSERT INTO assay.crl_changes (issuer, shard) VALUES (NEW.issuer, NEW.crl_shard);
	END IF;
	RETURN NULL;
END $$;
-- Fires only for statements that set these columns: issuing does not.
CREATE TRIGGER certificates_crl AFTER UPDATE OF revoked_at, reason ON certificates FOR EACH ROW
	EXECUTE FUNCTION certificates_crl();

-- RFC 5280 section 5.2.3: numbers rise. What a list is about never changes.
CREATE FUNCTION crl_shards_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF (NEW.id = OLD.id AND NEW.url = OLD.url AND NEW.path = OLD.path AND NEW.issuer IS NOT DISTINCT FROM OLD.issuer
		AND NEW.shard IS NOT DISTINCT FROM OLD.shard AND NEW.numbered >= OLD.numbered AND NEW.number >= OLD.number
		AND NEW.changes >= OLD.changes
		AND (NEW.number > OLD.number OR NEW.sha256 IS NOT DISTINCT FROM OLD.sha256)) IS NOT TRUE
	THEN
		RAISE EXCEPTION 'assay: revocation list % may not be so', OLD.path USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER crl_shards_guard BEFORE UPDATE ON crl_shards FOR EACH ROW EXECUTE FUNCTION crl_shards_guard();
CREATE TRIGGER crl_shards_kept BEFORE DELETE ON crl_shards FOR EACH ROW EXECUTE FUNCTION refuse('deleting a row');
CREATE TRIGGER crl_shards_whole BEFORE TRUNCATE ON crl_shards FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER issuer_locations_kept BEFORE DELETE ON issuer_locations FOR EACH ROW EXECUTE FUNCTION refuse('deleting a row');
CREATE TRIGGER issuer_locations_whole BEFORE TRUNCATE ON issuer_locations FOR EACH STATEMENT
	EXECUTE FUNCTION refuse('truncating');
