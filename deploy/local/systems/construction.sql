-- Building permits and inspections (system 20).
-- Safe to run again: what exists stays as it is.

DO $$ BEGIN
  IF to_regtype('public.permit_status') IS NULL THEN
    CREATE TYPE public.permit_status AS ENUM ('received', 'reviewing', 'issued', 'refused', 'expired');
  END IF;
END $$;

-- A small catalogue that is emptied and filled anew from a file now and then,
-- which is why nothing refers to it.
CREATE TABLE IF NOT EXISTS public.work_kind (
  code       text PRIMARY KEY,
  name       text NOT NULL,
  max_floors smallint
);

CREATE TABLE IF NOT EXISTS public.permit (
  permit_id        uuid PRIMARY KEY,
  permit_no        text UNIQUE,
  owner_cccd       text,
  owner_name       text NOT NULL,
  owner_birth_date date,
  owner_phone      text,
  work_kind        text NOT NULL,
  ward_code        text NOT NULL,
  address          text NOT NULL,
  floor_area       numeric(10,2),
  floors           smallint,
  status           permit_status NOT NULL DEFAULT 'received',
  applied_on       date NOT NULL,
  issued_on        date,
  documents        jsonb NOT NULL DEFAULT '{}',
  tags             text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS permit_owner ON public.permit (owner_cccd);
CREATE INDEX IF NOT EXISTS permit_ward ON public.permit (ward_code, status);
CREATE INDEX IF NOT EXISTS permit_tags ON public.permit USING gin (tags);

CREATE TABLE IF NOT EXISTS public.inspection (
  inspection_id bigint PRIMARY KEY,
  permit_id     uuid NOT NULL REFERENCES public.permit ON UPDATE CASCADE ON DELETE CASCADE,
  inspected_at  timestamp NOT NULL,
  result        text NOT NULL CHECK (result IN ('compliant', 'minor', 'serious')),
  violation     boolean NOT NULL DEFAULT false,
  fine          numeric(12,0)
);
CREATE INDEX IF NOT EXISTS inspection_permit ON public.inspection (permit_id);
