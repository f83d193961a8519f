-- A hospital information system that several facilities share (system 5).
-- Safe to run again: what exists stays as it is.

DO $$ BEGIN
  IF to_regtype('public.facility_level') IS NULL THEN
    CREATE TYPE public.facility_level AS ENUM ('specialised', 'basic', 'primary');
  END IF;
  IF to_regtype('public.encounter_kind') IS NULL THEN
    CREATE TYPE public.encounter_kind AS ENUM ('outpatient', 'inpatient', 'emergency');
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS public.facility (
  facility_id integer PRIMARY KEY,
  code        text NOT NULL UNIQUE,
  name        text NOT NULL,
  level       facility_level NOT NULL,
  ward_code   text NOT NULL,
  beds        smallint
);

CREATE TABLE IF NOT EXISTS public.patient (
  patient_id   bigint PRIMARY KEY,
  cccd         text,
  cmnd         text,
  insurance_no text,
  full_name    text NOT NULL,
  birth_date   date,
  sex          text CHECK (sex IN ('male', 'female')),
  phone        text,
  ward_code    text,
  address      text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now()
);
-- Not unique: two patients with one number are what this data is like.
CREATE INDEX IF NOT EXISTS patient_cccd ON public.patient (cccd);
CREATE INDEX IF NOT EXISTS patient_insurance ON public.patient (insurance_no);
CREATE INDEX IF NOT EXISTS patient_name_birth ON public.patient (full_name, birth_date);

CREATE TABLE IF NOT EXISTS public.insurance_card (
  card_no       text PRIMARY KEY,
  patient_id    bigint NOT NULL REFERENCES public.patient ON UPDATE CASCADE ON DELETE CASCADE,
  valid_from    date NOT NULL,
  valid_to      date NOT NULL,
  benefit_level smallint CHECK (benefit_level BETWEEN 1 AND 5)
);
CREATE INDEX IF NOT EXISTS insurance_card_patient ON public.insurance_card (patient_id);

CREATE TABLE IF NOT EXISTS public.encounter (
  encounter_id    uuid PRIMARY KEY,
  patient_id      bigint NOT NULL REFERENCES public.patient ON UPDATE CASCADE,
  facility_id     integer NOT NULL REFERENCES public.facility,
  kind            encounter_kind NOT NULL,
  admitted_at     timestamptz NOT NULL,
  discharged_at   timestamptz,
  icd10           text,
  secondary_icd10 text[],
  diagnosis       text,
  cost            numeric(14,2),
  insured_paid    numeric(14,2),
  notes           text
);
CREATE INDEX IF NOT EXISTS encounter_patient ON public.encounter (patient_id);
CREATE INDEX IF NOT EXISTS encounter_admitted ON public.encounter (admitted_at);
