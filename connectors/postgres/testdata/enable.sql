-- no step waits longer than this for a lock
SET lock_timeout = '5s';
-- a role of its own; no lock on tables
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hopluu_health') THEN CREATE ROLE "hopluu_health" LOGIN REPLICATION; COMMENT ON ROLE "hopluu_health" IS 'hopluu connector'; END IF; END $$;
-- its password, if the role is ours; no lock on tables
DO $$ BEGIN IF EXISTS (SELECT rolname FROM pg_roles WHERE rolname = 'hopluu_health' AND shobj_description(oid, 'pg_authid') = 'hopluu connector') THEN ALTER ROLE "hopluu_health" PASSWORD 'secret'; END IF; END $$;
-- no lock on tables
GRANT CONNECT ON DATABASE "health" TO "hopluu_health";
-- no lock on tables
GRANT USAGE ON SCHEMA "public" TO "hopluu_health";
-- read only, this table only; no lock that readers or writers notice
GRANT SELECT ON TABLE "public"."patient" TO "hopluu_health";
-- read only, this table only; no lock that readers or writers notice
GRANT SELECT ON TABLE "public"."visit" TO "hopluu_health";
-- no lock on tables
GRANT USAGE ON SCHEMA "billing" TO "hopluu_health";
-- read only, this table only; no lock that readers or writers notice
GRANT SELECT ON TABLE "billing"."payment" TO "hopluu_health";
-- an empty publication; no lock on tables
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'hopluu_health') THEN CREATE PUBLICATION "hopluu_health"; END IF; END $$;
-- nothing is left out, also of a publication that was there; no lock on tables
ALTER PUBLICATION "hopluu_health" SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);
-- SHARE UPDATE EXCLUSIVE on each table for a moment: reads and writes go on, VACUUM and ALTER TABLE wait
ALTER PUBLICATION "hopluu_health" SET TABLE "public"."patient", "public"."visit", "billing"."payment";
