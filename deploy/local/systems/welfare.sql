-- Poor households, beneficiaries and their payments (systems 9 to 12).
-- Safe to run again: what exists stays as it is.

DO $$ BEGIN
  IF to_regtype('public.household_category') IS NULL THEN
    CREATE TYPE public.household_category AS ENUM ('poor', 'near_poor', 'escaped');
  END IF;
  IF to_regtype('public.household_relation') IS NULL THEN
    CREATE TYPE public.household_relation AS ENUM ('head', 'spouse', 'child', 'parent', 'sibling', 'grandchild', 'other');
  END IF;
  IF to_regtype('public.beneficiary_status') IS NULL THEN
    CREATE TYPE public.beneficiary_status AS ENUM ('active', 'suspended', 'stopped');
  END IF;
  IF to_regtype('public.payment_channel') IS NULL THEN
    CREATE TYPE public.payment_channel AS ENUM ('bank', 'post', 'cash');
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS public.household (
  household_id bigint PRIMARY KEY,
  code         text NOT NULL UNIQUE,
  category     household_category NOT NULL,
  lacks        text[],
  ward_code    text NOT NULL,
  address      text,
  decided_on   date NOT NULL,
  year         smallint NOT NULL
);
CREATE INDEX IF NOT EXISTS household_ward ON public.household (ward_code);

CREATE TABLE IF NOT EXISTS public.household_member (
  member_id    bigint PRIMARY KEY,
  household_id bigint NOT NULL REFERENCES public.household ON UPDATE CASCADE,
  cccd         text,
  cmnd         text,
  full_name    text NOT NULL,
  birth_date   date,
  sex          text CHECK (sex IN ('male', 'female')),
  relation     household_relation NOT NULL,
  phone        text,
  ward_code    text,
  address      text,
  updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS household_member_household ON public.household_member (household_id);
CREATE INDEX IF NOT EXISTS household_member_cccd ON public.household_member (cccd);

CREATE TABLE IF NOT EXISTS public.beneficiary (
  beneficiary_id bigint PRIMARY KEY,
  cccd           text,
  insurance_no   text,
  full_name      text NOT NULL,
  birth_date     date,
  sex            text CHECK (sex IN ('male', 'female')),
  phone          text,
  ward_code      text,
  address        text,
  programme      text NOT NULL,
  monthly_amount numeric(12,0) NOT NULL CHECK (monthly_amount >= 0),
  status         beneficiary_status NOT NULL DEFAULT 'active',
  started_on     date NOT NULL,
  updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS beneficiary_cccd ON public.beneficiary (cccd);
CREATE INDEX IF NOT EXISTS beneficiary_programme ON public.beneficiary (programme, status);

CREATE TABLE IF NOT EXISTS public.payment (
  beneficiary_id bigint NOT NULL REFERENCES public.beneficiary ON UPDATE CASCADE,
  period         date NOT NULL,
  amount         numeric(12,0) NOT NULL,
  paid_at        timestamptz,
  channel        payment_channel NOT NULL,
  PRIMARY KEY (beneficiary_id, period)
);
CREATE INDEX IF NOT EXISTS payment_paid_at ON public.payment (paid_at);

CREATE TABLE IF NOT EXISTS public.fund (
  fund_id   integer PRIMARY KEY,
  name      text NOT NULL,
  programme text NOT NULL,
  year      smallint NOT NULL,
  allocated numeric(16,0) NOT NULL,
  spent     numeric(16,0) NOT NULL DEFAULT 0,
  UNIQUE (programme, year)
);
