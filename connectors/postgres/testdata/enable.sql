-- no step waits longer than this for a lock
SET lock_timeout = '5s';
-- names mean what they say, whatever else is called so
SET search_path = pg_catalog;
-- a role of its own; no lock on tables
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hopluu_health') THEN CREATE ROLE "hopluu_health" LOGIN REPLICATION; COMMENT ON ROLE "hopluu_health" IS 'hopluu connector'; END IF; END $$;
-- its password, if the role is ours; no lock on tables
DO $$ BEGIN IF EXISTS (SELECT rolname FROM pg_roles WHERE rolname = 'hopluu_health' AND shobj_description(oid, 'pg_authid') = 'hopluu connector') THEN ALTER ROLE "hopluu_health" PASSWORD 'secret'; END IF; END $$;
-- no lock on tables
GRANT CONNECT ON DATABASE "health" TO "hopluu_health";
-- no lock on tables
GRANT USAGE ON SCHEMA "public" TO "hopluu_health";
-- read only, this table only; ACCESS SHARE on this table for a moment, as a reader has (PostgreSQL 18; none before)
GRANT SELECT ON TABLE "public"."patient" TO "hopluu_health";
-- read only, this table only; ACCESS SHARE on this table for a moment, as a reader has (PostgreSQL 18; none before)
GRANT SELECT ON TABLE "public"."visit" TO "hopluu_health";
-- no lock on tables
GRANT USAGE ON SCHEMA "billing" TO "hopluu_health";
-- read only, this table only; ACCESS SHARE on this table for a moment, as a reader has (PostgreSQL 18; none before)
GRANT SELECT ON TABLE "billing"."payment" TO "hopluu_health";
-- an empty publication; no lock on tables
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'hopluu_health') THEN CREATE PUBLICATION "hopluu_health"; END IF; END $$;
-- no kind of change is left out, also of a publication that was there; no lock on tables
DO $$ BEGIN IF EXISTS (SELECT FROM pg_publication WHERE pubname = 'hopluu_health' AND NOT (pubinsert AND pubupdate AND pubdelete AND pubtruncate AND pubviaroot)) THEN ALTER PUBLICATION "hopluu_health" SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true); END IF; END $$;
-- a function for the next steps, gone with this session; no lock on tables
CREATE OR REPLACE FUNCTION pg_temp.hopluu_publish(publication name, target regclass, listed name[], condition text) RETURNS text LANGUAGE plpgsql AS $hopluu$
DECLARE
  known boolean;
  columns name[];
  present text;
  wanted name[];
  plans text[] := '{}';
  plan text;
  part text;
  detail text;
BEGIN
  IF (listed IS NOT NULL OR condition IS NOT NULL) AND current_setting('server_version_num')::int < 150000 THEN
    RAISE EXCEPTION 'table % is to be published in part, which needs PostgreSQL 15', target;
  END IF;
  IF listed IS NOT NULL THEN
    -- The stream has no generated columns.
    wanted := array(SELECT l FROM unnest(listed) l WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = l AND a.attgenerated <> '') ORDER BY l);
  END IF;
  known := EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = publication AND r.prrelid = target);
  IF current_setting('server_version_num')::int >= 150000 THEN
    EXECUTE 'SELECT (SELECT array_agg(a.attname ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])), pg_get_expr(r.prqual, r.prrelid)
      FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $1 AND r.prrelid = $2' INTO columns, present USING publication, target;
  END IF;
  IF known AND columns IS NOT DISTINCT FROM wanted AND (present IS NULL) = (condition IS NULL) THEN
    IF condition IS NULL THEN
      RETURN target || ': published as it should be';
    END IF;
    FOREACH part IN ARRAY ARRAY[condition, present] LOOP
      EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT FROM %s WHERE (%s)', target, part) INTO plan;
      plans := plans || plan;
    END LOOP;
    IF plans[1] = plans[2] THEN
      RETURN target || ': published as it should be';
    END IF;
  END IF;
  IF known THEN
    EXECUTE format('ALTER PUBLICATION %I DROP TABLE ONLY %s', publication, target);
  END IF;
  EXECUTE format('ALTER PUBLICATION %I ADD TABLE ONLY %s', publication, target)
    || coalesce(' (' || (SELECT string_agg(quote_ident(w), ', ') FROM unnest(wanted) w) || ')', '') || coalesce(' WHERE (' || condition || ')', '');
  BEGIN
    EXECUTE format('EXPLAIN DELETE FROM %s', target);
  EXCEPTION WHEN invalid_column_reference OR object_not_in_prerequisite_state THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION 'published so, the application''s own UPDATE and DELETE on table % would fail, so it is left as it was: %', target, concat_ws(': ', SQLERRM, nullif(rtrim(detail, '.'), ''))
      USING HINT = 'It needs a replica identity that holds the columns of its row filter and is held by its column list: see ALTER TABLE ... REPLICA IDENTITY; hopluu connector check prints the statement';
  END;
  RETURN target || ': published anew';
END $hopluu$;
-- unless it is published so already: SHARE UPDATE EXCLUSIVE on this table for a moment (reads and writes go on, VACUUM and ALTER TABLE wait), and ROW EXCLUSIVE, as a writer has
SELECT pg_temp.hopluu_publish('hopluu_health', '"public"."patient"', NULL, NULL);
-- unless it is published so already: SHARE UPDATE EXCLUSIVE on this table for a moment (reads and writes go on, VACUUM and ALTER TABLE wait), and ROW EXCLUSIVE, as a writer has
SELECT pg_temp.hopluu_publish('hopluu_health', '"public"."visit"', NULL, NULL);
-- unless it is published so already: SHARE UPDATE EXCLUSIVE on this table for a moment (reads and writes go on, VACUUM and ALTER TABLE wait), and ROW EXCLUSIVE, as a writer has
SELECT pg_temp.hopluu_publish('hopluu_health', '"billing"."payment"', NULL, NULL);
-- tables that the sector file does not name leave the publication: SHARE UPDATE EXCLUSIVE on each of them for a moment
DO $$ DECLARE other text; BEGIN FOR other IN SELECT format('%I.%I', n.nspname, c.relname) FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = 'hopluu_health' AND (n.nspname, c.relname) NOT IN (('public', 'patient'), ('public', 'visit'), ('billing', 'payment')) LOOP EXECUTE format('ALTER PUBLICATION %I DROP TABLE ONLY %s', 'hopluu_health', other); END LOOP; END $$;
