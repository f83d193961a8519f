-- no step waits longer than this for a lock
SET lock_timeout = '5s';
-- ends a connector that still streams, and waits for its end
SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = 'slot' AND active;
-- lets the WAL go that the slot kept
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'slot';
-- no lock that readers or writers notice
DROP PUBLICATION IF EXISTS "pub""l'ic";
-- takes back its grants, then the role; only if 'hopluu connector enable' made it
DO $_$ BEGIN IF EXISTS (SELECT rolname FROM pg_roles WHERE rolname =  E'o''ro\\le$$' AND shobj_description(oid, 'pg_authid') = 'hopluu connector') THEN DROP OWNED BY "o'ro\le$$"; DROP ROLE "o'ro\le$$"; END IF; END $_$;
