-- no step waits longer than this for a lock
SET lock_timeout = '5s';
-- a role of its own; no lock on tables
DO $_$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname =  E'o''ro\\le$$') THEN CREATE ROLE "o'ro\le$$" LOGIN REPLICATION; COMMENT ON ROLE "o'ro\le$$" IS 'hopluu connector'; END IF; END $_$;
-- its password, if the role is ours; no lock on tables
DO $_$ BEGIN IF EXISTS (SELECT rolname FROM pg_roles WHERE rolname =  E'o''ro\\le$$' AND shobj_description(oid, 'pg_authid') = 'hopluu connector') THEN ALTER ROLE "o'ro\le$$" PASSWORD  E'it''s a \\ secret'; END IF; END $_$;
-- no lock on tables
GRANT CONNECT ON DATABASE "he""alth" TO "o'ro\le$$";
-- no lock on tables
GRANT USAGE ON SCHEMA "Schema" TO "o'ro\le$$";
-- read only, this table only; no lock that readers or writers notice
GRANT SELECT ON TABLE "Schema"."ta""ble" TO "o'ro\le$$";
-- an empty publication; no lock on tables
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'pub"l''ic') THEN CREATE PUBLICATION "pub""l'ic"; END IF; END $$;
-- nothing is left out, also of a publication that was there; no lock on tables
ALTER PUBLICATION "pub""l'ic" SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);
-- SHARE UPDATE EXCLUSIVE on each table for a moment: reads and writes go on, VACUUM and ALTER TABLE wait
ALTER PUBLICATION "pub""l'ic" SET TABLE "Schema"."ta""ble";
