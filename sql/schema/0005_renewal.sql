-- 0005: renewal information (RFC 9773): which order replaces which certificate; incidents, which ask for the renewal of
-- many certificates and revoke them afterwards.

-- What newOrder's "replaces" said, for the order's object (section 5).
ALTER TABLE orders ADD COLUMN replaces text;
CREATE TRIGGER orders_replaces_fixed BEFORE UPDATE OF replaces ON orders FOR EACH ROW WHEN (OLD.replaces IS NOT NULL)
	EXECUTE FUNCTION refuse('a change of what was ordered');
ALTER TYPE order_answer ADD ATTRIBUTE replaces text;

-- The order that replaces a certificate, or last tried to: while it is not invalid, there is no other. One row a
-- certificate, so its primary key is what parallel orders meet at.
CREATE TABLE replacements (
	serial bytea PRIMARY KEY,
	order_id uuid NOT NULL
) WITH (fillfactor = 90);
CREATE TRIGGER replacements_fixed BEFORE UPDATE OF serial ON replacements FOR EACH ROW
	EXECUTE FUNCTION refuse('a change of what identifies a row');
CREATE TRIGGER replacements_whole BEFORE TRUNCATE ON replacements FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');

-- What an incident is about. NULL: whatever it is. methods are challenge types, as in authorizations.
CREATE TYPE incident_filter AS (
	spki_sha256 bytea, issuer text, profile text, account_id uuid, names text[], methods integer[],
	issued_from timestamptz, issued_to timestamptz);

-- status: 0 prepared, 1 running, 2 paused, 3 ended (all revoked), 4 aborted.
--
-- Windows are not written anywhere: the certificate with ordinal n belongs to wave (n - 1) / wave_size, and that wave's
-- window begins wave_secs after the one before, the first one's at begin_at. So starting, pausing and going on are one
-- row each, however many certificates there are.
CREATE TABLE incidents (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	status smallint NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 4),
	created_at timestamptz NOT NULL DEFAULT now(),
	actor text NOT NULL DEFAULT session_user,
	why text NOT NULL,
	explanation_url text,
	filter incident_filter, -- NULL: chosen by serial number
	scanned bytea NOT NULL, -- up to here certificates were compared with filter
	selected_at timestamptz, -- NULL: not all were compared yet
	selected integer NOT NULL DEFAULT 0,
	wave_size integer CHECK (wave_size > 0),
	wave_secs integer CHECK (wave_secs > 0),
	begin_at timestamptz,
	paused_at timestamptz,
	deadline_at timestamptz,
	reason smallint CHECK (reason IN (0, 1, 3, 4, 5, 9)),
	watched bytea, -- up to here new certificates were compared with those selected
	renewed integer NOT NULL DEFAULT 0,
	disposed integer NOT NULL DEFAULT 0, -- ordinals that the deadline's revocation has passed
	revoked integer NOT NULL DEFAULT 0, -- how many of them it revoked
	ended_at timestamptz,
	CHECK (num_nonnulls(wave_size, wave_secs, begin_at, deadline_at, reason, watched) IN (0, 6)),
	CHECK (status = 4 OR (status = 0) = (begin_at IS NULL)),
	CHECK ((status = 2) = (paused_at IS NOT NULL)),
	CHECK ((status IN (3, 4)) = (ended_at IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX incidents_open ON incidents (id) WHERE status IN (1, 2);

CREATE TABLE incident_certificates (
	incident_id integer NOT NULL REFERENCES incidents,
	ordinal integer NOT NULL CHECK (ordinal > 0),
	serial bytea NOT NULL,
	account_id uuid NOT NULL,
	names_hash bigint NOT NULL,
	renewed_at timestamptz,
	PRIMARY KEY (incident_id, ordinal),
	UNIQUE (serial, incident_id)
) WITH (fillfactor = 80);
CREATE INDEX incident_certificates_names ON incident_certificates (account_id, names_hash);

CREATE FUNCTION incidents_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF (CASE WHEN TG_OP = 'INSERT' THEN NEW.status = 0 AND NEW.selected = 0
		ELSE (NEW.id, NEW.created_at, NEW.actor, NEW.why) = (OLD.id, OLD.created_at, OLD.actor, OLD.why)
			AND NEW.filter IS NOT DISTINCT FROM OLD.filter
			AND CASE OLD.status WHEN 0 THEN NEW.status IN (0, 1, 4) WHEN 1 THEN NEW.status IN (1, 2, 3, 4)
				WHEN 2 THEN NEW.status IN (1, 2, 4) ELSE false END
			AND NEW.selected >= OLD.selected AND NEW.disposed >= OLD.disposed AND NEW.revoked >= OLD.revoked
			AND (OLD.status = 0 OR (NEW.wave_size, NEW.wave_secs, NEW.reason) = (OLD.wave_size, OLD.wave_secs, OLD.reason))
			AND (OLD.deadline_at IS NULL OR NEW.deadline_at >= OLD.deadline_at)
			AND (NEW.status <> 3 OR NEW.disposed >= NEW.selected)
		END) IS NOT TRUE
	THEN
		RAISE EXCEPTION 'assay: incident % may not be so', NEW.id USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER incidents_guard BEFORE INSERT OR UPDATE ON incidents FOR EACH ROW EXECUTE FUNCTION incidents_guard();
CREATE TRIGGER incidents_kept BEFORE DELETE ON incidents FOR EACH ROW EXECUTE FUNCTION refuse('deleting a row');
CREATE TRIGGER incidents_whole BEFORE TRUNCATE ON incidents FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER incident_certificates_fixed BEFORE UPDATE OF incident_id, ordinal, serial, account_id, names_hash
	ON incident_certificates FOR EACH ROW EXECUTE FUNCTION refuse('a change of what was selected');
CREATE TRIGGER incident_certificates_kept BEFORE DELETE ON incident_certificates FOR EACH ROW
	EXECUTE FUNCTION refuse('deleting a row');
CREATE TRIGGER incident_certificates_whole BEFORE TRUNCATE ON incident_certificates FOR EACH STATEMENT
	EXECUTE FUNCTION refuse('truncating');
