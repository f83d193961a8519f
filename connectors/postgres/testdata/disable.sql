-- no step waits longer than this for a lock
SET lock_timeout = '5s';
-- ends a connector that still streams, and waits for its end
SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = 'hopluu_health' AND active;
-- lets the WAL go that the slot kept
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'hopluu_health';
-- no lock that readers or writers notice
DROP PUBLICATION IF EXISTS "hopluu_health";
-- takes back its grants, then the role; only if 'hopluu connector enable' made it
DO $$ BEGIN IF EXISTS (SELECT rolname FROM pg_roles WHERE rolname = 'hopluu_health' AND shobj_description(oid, 'pg_authid') = 'hopluu connector') THEN DROP OWNED BY "hopluu_health"; DROP ROLE "hopluu_health"; END IF; END $$;
