-- 0008: what remains to be ended when an account is closed or an authorization deactivated that has more orders than one
-- short transaction may touch. The keeper goes on from next_before, newest first, until oldest.
CREATE TABLE closings (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	account_id uuid NOT NULL,
	authz_id uuid, -- NULL: the whole account
	oldest uuid NOT NULL,
	next_before uuid NOT NULL,
	error text NOT NULL
);
