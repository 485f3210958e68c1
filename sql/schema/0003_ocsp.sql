-- 0003: certificate status over OCSP (RFC 6960): responses signed ahead, what has to be signed again, and the delegated
-- certificates that sign.
--
-- The truth about a certificate is certificates.revoked_at and reason. A stored response only repeats it: whoever hands
-- one out compares the two, so that a revocation is seen at once, and a lost response costs a signature and nothing else.

-- One for each certificate. refresh_at: when it is to be signed again; NULL: never, its certificate expires before.
CREATE TABLE ocsp_responses (
	serial bytea PRIMARY KEY,
	issuer smallint NOT NULL,
	this_update timestamptz NOT NULL,
	next_update timestamptz NOT NULL,
	refresh_at timestamptz,
	revoked_at timestamptz,
	reason smallint,
	response bytea NOT NULL
) PARTITION BY RANGE (serial);
CREATE INDEX ocsp_responses_refresh ON ocsp_responses (refresh_at) WHERE refresh_at IS NOT NULL;
INSERT INTO partitioned VALUES ('ocsp_responses', 'serial', 28, 90);
-- A database in use has certificates already, and their responses need a place.
DO $$
DECLARE
	r partition_ranges;
BEGIN
	FOR r IN SELECT * FROM partition_ranges x WHERE x.parent = 'certificates' LOOP
		PERFORM partition_create('ocsp_responses', r.lower_at, r.upper_at);
	END LOOP;
END $$;

-- Certificates whose status has changed since their response was signed. An entry stays until the response agrees.
CREATE TABLE ocsp_changes (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	serial bytea NOT NULL
);

-- The three kinds of signing ahead (0 what has changed, 1 what is new, 2 what is due again): one worker has each at a
-- time, so that none is done twice, and loses it by silence. mark: certificates with serials below it are no longer new.
CREATE TABLE ocsp_duties (
	duty smallint PRIMARY KEY CHECK (duty BETWEEN 0 AND 2),
	worker uuid,
	held_until timestamptz NOT NULL DEFAULT '-infinity',
	mark bytea NOT NULL DEFAULT ''
) WITH (fillfactor = 50);
INSERT INTO ocsp_duties (duty) VALUES (0), (1), (2);

-- Delegated responder certificates (RFC 6960 section 4.2.2.2). A worker registers a public key; the signer certifies it.
-- due_at: a job for the signer, until it is issued or refused. As with certificates, what is going to be signed is
-- recorded first; its serial stands in serials, under the responder's id.
CREATE TABLE responders (
	id uuid PRIMARY KEY,
	issuer smallint NOT NULL REFERENCES issuers,
	registered_at timestamptz NOT NULL DEFAULT now(),
	due_at timestamptz DEFAULT now(),
	held_until timestamptz,
	not_before timestamptz,
	not_after timestamptz,
	attempt smallint NOT NULL DEFAULT 0,
	host text NOT NULL,
	spki bytea NOT NULL,
	spki_sha256 bytea NOT NULL UNIQUE,
	serial bytea UNIQUE,
	tbs bytea,
	der bytea,
	error text
);
CREATE INDEX responders_due ON responders (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX responders_issuer ON responders (issuer, not_after);

CREATE FUNCTION responders_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	v_legal boolean;
BEGIN
	IF TG_OP = 'INSERT' THEN
		v_legal := NEW.attempt = 0 AND NEW.spki_sha256 = sha256(NEW.spki)
			AND num_nonnulls(NEW.serial, NEW.tbs, NEW.der, NEW.error, NEW.not_before, NEW.not_after) = 0;
	ELSE
		v_legal := (OLD.id, OLD.issuer, OLD.spki, OLD.host, OLD.registered_at)
				= (NEW.id, NEW.issuer, NEW.spki, NEW.host, NEW.registered_at)
			AND CASE WHEN num_nonnulls(OLD.der, OLD.error) > 0 THEN OLD IS NOT DISTINCT FROM NEW
				WHEN NEW.der IS NOT NULL THEN NEW.tbs IS NULL AND NEW.serial = OLD.serial AND NEW.not_before < NEW.not_after
					AND substring(NEW.der FROM get_byte(NEW.der, 1) - 125 FOR octet_length(OLD.tbs)) = OLD.tbs
				ELSE num_nulls(NEW.tbs, NEW.serial) IN (0, 2) END;
	END IF;
	IF (v_legal AND (NEW.due_at IS NULL) = (num_nonnulls(NEW.der, NEW.error) > 0)
		AND num_nonnulls(NEW.der, NEW.error) < 2) IS NOT TRUE
	THEN
		RAISE EXCEPTION 'assay: responder % may not be so', NEW.id USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER responders_guard BEFORE INSERT OR UPDATE ON responders FOR EACH ROW EXECUTE FUNCTION responders_guard();
CREATE TRIGGER responders_kept BEFORE DELETE ON responders FOR EACH ROW EXECUTE FUNCTION refuse('deleting a row');
CREATE TRIGGER responders_whole BEFORE TRUNCATE ON responders FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');

-- Whoever revokes, and however: the response is signed anew. Issuance never names these two columns, so it never comes here.
CREATE FUNCTION certificates_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO assay.ocsp_changes (serial) SELECT NEW.serial WHERE EXISTS (
		SELECT FROM assay.responders d WHERE d.issuer = NEW.issuer AND d.not_after > now() AND d.der IS NOT NULL);
	RETURN NULL;
END $$;
CREATE TRIGGER certificates_changed AFTER UPDATE OF revoked_at, reason ON certificates FOR EACH ROW
	EXECUTE FUNCTION certificates_changed();
