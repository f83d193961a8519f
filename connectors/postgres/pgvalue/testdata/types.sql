-- The types of the golden table that are not built in.
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public;
CREATE EXTENSION IF NOT EXISTS cube SCHEMA public;
CREATE EXTENSION IF NOT EXISTS isn SCHEMA public;
CREATE TYPE public.mood AS ENUM ('vui vẻ', 'buồn', 'a,b', '"', 'NULL', '{}', '\');
CREATE DOMAIN public.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN public.more_positive AS public.positive CHECK (VALUE > 1);
CREATE DOMAIN public.required AS text NOT NULL;
CREATE DOMAIN public.amount AS numeric(8,2);
CREATE DOMAIN public.tags AS text[];
CREATE DOMAIN public.grid AS integer[][];
CREATE DOMAIN public.feeling AS public.mood;
CREATE DOMAIN public.email AS public.citext;
CREATE DOMAIN public.flags AS bit(5);
CREATE DOMAIN public.since AS timestamp(3) with time zone;
CREATE TYPE public.pair AS (n integer, s text);
CREATE TYPE public.place AS (at point, tags text[], seen timestamp with time zone, part public.pair);
CREATE DOMAIN public.known_pair AS public.pair CHECK (VALUE IS NULL OR (VALUE).n > 0);
CREATE TYPE public.floatrange AS RANGE (subtype = float8);
CREATE DOMAIN public.years AS int4range;
CREATE TYPE public."Odd type" AS ENUM ('x');
CREATE TYPE public.parted;
CREATE FUNCTION public.parted_in(cstring) RETURNS public.parted LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION public.parted_out(public.parted) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
-- A type whose arrays have another delimiter, as PostGIS's have.
CREATE TYPE public.parted (INPUT = public.parted_in, OUTPUT = public.parted_out, LIKE = text, DELIMITER = ':');
