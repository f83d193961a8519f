-- The population register with civil status (systems 1 and 4 of the strategy).
-- Safe to run again: what exists stays as it is.

DO $$ BEGIN
  IF to_regtype('public.ward_kind') IS NULL THEN
    CREATE TYPE public.ward_kind AS ENUM ('ward', 'commune', 'township', 'special_zone');
  END IF;
  IF to_regtype('public.sex') IS NULL THEN
    CREATE TYPE public.sex AS ENUM ('male', 'female');
  END IF;
  IF to_regtype('public.citizen_status') IS NULL THEN
    CREATE TYPE public.citizen_status AS ENUM ('alive', 'dead', 'moved');
  END IF;
END $$;

-- Codes were used again on 1 July 2025, so a code is unique only with its period.
CREATE TABLE IF NOT EXISTS public.ward (
  ward_id    integer PRIMARY KEY,
  code       text NOT NULL CHECK (code ~ '^[0-9]{5}$'),
  name       text NOT NULL,
  kind       ward_kind NOT NULL,
  valid_from date NOT NULL,
  valid_to   date,
  UNIQUE (code, valid_from),
  CHECK (valid_to IS NULL OR valid_to >= valid_from)
);

CREATE TABLE IF NOT EXISTS public.citizen (
  citizen_id    bigint PRIMARY KEY,
  cccd          text NOT NULL,
  cmnd          text,
  full_name     text NOT NULL,
  birth_date    date NOT NULL,
  sex           sex NOT NULL,
  ward_code     text NOT NULL,
  address       text,
  phone         text,
  status        citizen_status NOT NULL DEFAULT 'alive',
  registered_at timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS citizen_cccd ON public.citizen (cccd);
CREATE INDEX IF NOT EXISTS citizen_name_birth ON public.citizen (full_name, birth_date);
CREATE INDEX IF NOT EXISTS citizen_ward ON public.citizen (ward_code);

CREATE TABLE IF NOT EXISTS public.birth (
  birth_id      bigint PRIMARY KEY,
  citizen_id    bigint REFERENCES public.citizen ON UPDATE CASCADE,
  child_name    text NOT NULL,
  birth_date    date NOT NULL,
  sex           sex NOT NULL,
  mother_cccd   text,
  father_cccd   text,
  place         text,
  ward_code     text NOT NULL,
  registered_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS birth_citizen ON public.birth (citizen_id);
CREATE INDEX IF NOT EXISTS birth_date ON public.birth (birth_date);

CREATE TABLE IF NOT EXISTS public.death (
  death_id      bigint PRIMARY KEY,
  citizen_id    bigint NOT NULL UNIQUE REFERENCES public.citizen ON UPDATE CASCADE,
  died_on       date NOT NULL,
  cause         text,
  registered_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS death_died_on ON public.death (died_on);
