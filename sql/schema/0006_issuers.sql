-- 0006: what several issuers, keys in hardware and the kill switch of issuance need.

-- While there is a row, nothing is ordered, finalized or signed. Empty otherwise, so that looking costs next to nothing.
CREATE TABLE issuance_stop (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	stopped_at timestamptz NOT NULL DEFAULT now(),
	actor text NOT NULL DEFAULT session_user,
	reason text NOT NULL CHECK (reason <> '')
);
CREATE TRIGGER issuance_stop_fixed BEFORE UPDATE ON issuance_stop FOR EACH ROW EXECUTE FUNCTION refuse('changing a row');

-- Claims that ended because no issuing key could be reached: they do not count among the attempts that end an order.
ALTER TABLE orders ADD COLUMN waits smallint NOT NULL DEFAULT 0;

-- Other chains that a client may ask for (RFC 8555 section 7.4.2), in order of preference; each as issuers.chain_pem.
ALTER TABLE issuers ADD COLUMN alternates text[] NOT NULL DEFAULT '{}';
