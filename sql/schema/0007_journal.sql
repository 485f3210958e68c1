-- 0007: what this database knows of the journals outside it (assay-journal(5)), and what it learned from them.

-- How far each file was read or written when the database knew all that stands before. A restored backup brings back an
-- older position with the older rows: what follows in the file is what was forgotten.
CREATE TABLE journal_files (
	id uuid PRIMARY KEY,
	program text NOT NULL,
	host text NOT NULL,
	position bigint NOT NULL CHECK (position >= 0),
	reached_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Certificates that a journal tells of and that this database did not know. seen_at: an operator has taken note.
CREATE TABLE forgotten_certificates (
	serial bytea PRIMARY KEY,
	file uuid NOT NULL,
	position bigint NOT NULL,
	found_at timestamptz NOT NULL DEFAULT now(),
	seen_at timestamptz
);
CREATE INDEX forgotten_certificates_new ON forgotten_certificates (found_at) WHERE seen_at IS NULL;
CREATE TRIGGER forgotten_certificates_fixed BEFORE UPDATE OF serial, file, position, found_at ON forgotten_certificates
	FOR EACH ROW EXECUTE FUNCTION refuse('a change of what was found');
CREATE TRIGGER forgotten_certificates_kept BEFORE DELETE ON forgotten_certificates FOR EACH ROW
	EXECUTE FUNCTION refuse('deleting a row');

-- Revocations of certificates that are not known here (yet): the keeper's journal may be read before the signer's.
CREATE TABLE forgotten_revocations (
	serial bytea PRIMARY KEY,
	at timestamptz NOT NULL,
	reason smallint NOT NULL
);

-- revocations and blocked_keys are the keeper's outbox: it is woken when a transaction that added to them commits.
ALTER TABLE blocked_keys ADD COLUMN journalled boolean NOT NULL DEFAULT false;
CREATE INDEX blocked_keys_due ON blocked_keys (blocked_at) WHERE NOT journalled;
CREATE INDEX revocations_waiting ON revocations (serial) WHERE NOT journalled;
CREATE FUNCTION journal_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('assay_journal', '');
	RETURN NULL;
END $$;
CREATE TRIGGER revocations_wake AFTER INSERT ON revocations FOR EACH STATEMENT EXECUTE FUNCTION journal_wake();
CREATE TRIGGER blocked_keys_wake AFTER INSERT ON blocked_keys FOR EACH STATEMENT EXECUTE FUNCTION journal_wake();
