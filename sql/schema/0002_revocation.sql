-- 0002: revocation: its outbox, acts that revoke many certificates, and keys whose certificates are all to go.

-- Every revocation and every change of one's reason, in the transaction that made it. Contract for who writes them to
-- the journal: read rows that are not journalled, lowest id first (ids are not in the order of commit, so remember
-- none of them: the flag alone counts), write, fsync, then set journalled; a row written twice is no harm, as what
-- holds for a serial is the earliest at and the reason of the highest id. Rows are deleted thirty days after they were
-- journalled and never before: what was revoked stands in certificates.
CREATE TABLE revocations (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	serial bytea NOT NULL,
	reason smallint NOT NULL,
	at timestamptz NOT NULL, -- certificates.revoked_at
	made_at timestamptz NOT NULL DEFAULT now(),
	actor text NOT NULL DEFAULT session_user,
	journalled boolean NOT NULL DEFAULT false
) WITH (fillfactor = 80);
CREATE INDEX revocations_due ON revocations (id) WHERE NOT journalled;
INSERT INTO revocations (serial, reason, at)
	SELECT c.serial, c.reason, c.revoked_at FROM certificates c WHERE c.revoked_at IS NOT NULL ORDER BY c.revoked_at, c.serial;

CREATE TRIGGER revocations_fixed BEFORE UPDATE OF id, serial, reason, at, made_at, actor ON revocations FOR EACH ROW
	EXECUTE FUNCTION refuse('a change of what was revoked');
CREATE TRIGGER revocations_moves BEFORE UPDATE OF journalled ON revocations FOR EACH ROW
	WHEN (OLD.journalled AND NOT NEW.journalled) EXECUTE FUNCTION refuse('taking it out of the journal');
CREATE TRIGGER revocations_kept BEFORE DELETE ON revocations FOR EACH ROW
	WHEN (NOT OLD.journalled OR OLD.made_at > now() - interval '30 days') EXECUTE FUNCTION refuse('deleting a row');
CREATE TRIGGER revocations_whole BEFORE TRUNCATE ON revocations FOR EACH STATEMENT EXECUTE FUNCTION refuse('truncating');

-- As in 0001; a burnt serial is a revocation like others, and goes into the outbox, too.
CREATE OR REPLACE FUNCTION serials_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF (octet_length(NEW.serial) = 18 AND get_byte(NEW.serial, 0) = 64 AND NEW.burnt_at IS NULL) IS TRUE THEN
			RETURN NEW;
		END IF;
	ELSIF (OLD.burnt_at IS NULL AND NEW.burnt_at IS NOT NULL AND OLD.serial = NEW.serial
		AND OLD.order_id = NEW.order_id) IS TRUE
	THEN
		WITH burnt AS (
			UPDATE assay.certificates c SET revoked_at = now(), reason = 4
				WHERE c.serial = NEW.serial AND c.revoked_at IS NULL
				RETURNING c.serial, c.reason, c.revoked_at
		)
		INSERT INTO assay.revocations (serial, reason, at) SELECT b.serial, b.reason, b.revoked_at FROM burnt b;
		INSERT INTO assay.audit_log (action, object, detail)
			VALUES ('serial.burn', encode(NEW.serial, 'hex'), NEW.order_id::text);
		RETURN NEW;
	END IF;
	RAISE EXCEPTION 'assay: serial % may not be so', encode(NEW.serial, 'hex')
		USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- An act of an operator, or of the keeper for a blocked key, that revokes many certificates. What it found when it
-- was begun is written down in batches, and each batch is one short transaction, by whoever comes first: the
-- operator's session or a keeper. So an act that was begun comes to its end, whatever becomes of that session.
CREATE TABLE revocation_acts (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	begun_at timestamptz NOT NULL DEFAULT now(),
	ended_at timestamptz,
	actor text NOT NULL DEFAULT session_user,
	why text NOT NULL,
	selection text NOT NULL,
	reason smallint NOT NULL CHECK (reason IN (0, 1, 3, 4, 5, 9)),
	found integer NOT NULL CHECK (found > 0),
	revoked integer NOT NULL DEFAULT 0 CHECK (revoked BETWEEN 0 AND found)
) WITH (fillfactor = 70);
CREATE INDEX revocation_acts_open ON revocation_acts (id) WHERE ended_at IS NULL;
CREATE TABLE revocation_batches (
	act integer NOT NULL REFERENCES revocation_acts,
	batch integer NOT NULL,
	serials bytea[] NOT NULL CHECK (cardinality(serials) > 0),
	PRIMARY KEY (act, batch)
);
CREATE TRIGGER revocation_acts_fixed BEFORE UPDATE OF id, begun_at, actor, why, selection, reason, found ON revocation_acts
	FOR EACH ROW EXECUTE FUNCTION refuse('a change of what was decided');
CREATE TRIGGER revocation_acts_kept BEFORE DELETE ON revocation_acts FOR EACH ROW EXECUTE FUNCTION refuse('deleting a row');
CREATE TRIGGER revocation_acts_whole BEFORE TRUNCATE ON revocation_acts FOR EACH STATEMENT
	EXECUTE FUNCTION refuse('truncating');
CREATE TRIGGER revocation_batches_whole BEFORE TRUNCATE ON revocation_batches FOR EACH STATEMENT
	EXECUTE FUNCTION refuse('truncating');

-- revoking: every unexpired certificate with the key is to be revoked as keyCompromise, by the keeper. A signer's
-- transaction that looked before the key was blocked may still add one: the keeper is done when a search found nothing
-- after all transactions below horizon had ended (the signer takes its transaction id before it looks).
ALTER TABLE blocked_keys ADD COLUMN revoking boolean NOT NULL DEFAULT false, ADD COLUMN horizon xid8;
CREATE INDEX blocked_keys_revoking ON blocked_keys (blocked_at) WHERE revoking;

-- A blocked key may be let go again, but never without its trace in the audit log.
CREATE FUNCTION blocked_keys_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		INSERT INTO assay.audit_log (action, object, detail) VALUES ('key.unblock', encode(OLD.spki_sha256, 'hex'),
			'was blocked ' || OLD.blocked_at || ' by ' || OLD.actor || ': ' || OLD.reason);
		RETURN OLD;
	END IF;
	IF ((NEW.spki_sha256, NEW.blocked_at, NEW.actor, NEW.reason) = (OLD.spki_sha256, OLD.blocked_at, OLD.actor, OLD.reason))
		IS NOT TRUE
	THEN
		RAISE EXCEPTION 'assay: changing a row of blocked_keys is not allowed' USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
DROP TRIGGER blocked_keys_kept ON blocked_keys;
CREATE TRIGGER blocked_keys_guard BEFORE UPDATE OR DELETE ON blocked_keys FOR EACH ROW EXECUTE FUNCTION blocked_keys_guard();

-- How certificates are found by key and by name (measured: ARCHITECTURE.md). A hash index costs issuance less than half
-- of what a B-tree does. Names go onto the GIN index's pending list, which the keeper merges (certificates_tidy) long
-- before the limit makes an issuance do it. Accounts need none: orders_account leads to the serial numbers.
CREATE INDEX certificates_key ON certificates USING hash (spki_sha256);
CREATE INDEX certificates_names ON certificates USING gin (names) WITH (gin_pending_list_limit = 65536);
