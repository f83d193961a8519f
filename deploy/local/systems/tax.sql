-- Taxpayers, household businesses, declarations and payments (systems 16 and 17).
-- Safe to run again: what exists stays as it is.

DO $$ BEGIN
  IF to_regtype('public.taxpayer_kind') IS NULL THEN
    CREATE TYPE public.taxpayer_kind AS ENUM ('person', 'household_business', 'company');
  END IF;
  IF to_regtype('public.tax_kind') IS NULL THEN
    CREATE TYPE public.tax_kind AS ENUM ('pit', 'vat', 'cit', 'land');
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS public.taxpayer (
  taxpayer_id   bigint PRIMARY KEY,
  tax_code      text,
  cccd          text,
  kind          taxpayer_kind NOT NULL,
  full_name     text,
  business_name text,
  birth_date    date,
  sex           text CHECK (sex IN ('male', 'female')),
  phone         text,
  ward_code     text,
  address       text,
  registered_on date NOT NULL,
  updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS taxpayer_tax_code ON public.taxpayer (tax_code);
CREATE INDEX IF NOT EXISTS taxpayer_cccd ON public.taxpayer (cccd);

CREATE TABLE IF NOT EXISTS public.declaration (
  declaration_id bigint PRIMARY KEY,
  taxpayer_id    bigint NOT NULL REFERENCES public.taxpayer ON UPDATE CASCADE,
  tax_kind       tax_kind NOT NULL,
  period         date NOT NULL,
  declared       numeric(16,0) NOT NULL CHECK (declared >= 0),
  due_on         date NOT NULL,
  submitted_at   timestamptz
);
CREATE INDEX IF NOT EXISTS declaration_taxpayer ON public.declaration (taxpayer_id, period);
CREATE INDEX IF NOT EXISTS declaration_due ON public.declaration (due_on);

CREATE TABLE IF NOT EXISTS public.tax_payment (
  payment_id     bigint PRIMARY KEY,
  taxpayer_id    bigint NOT NULL REFERENCES public.taxpayer ON UPDATE CASCADE,
  declaration_id bigint REFERENCES public.declaration ON UPDATE CASCADE,
  amount         numeric(16,0) NOT NULL CHECK (amount > 0),
  paid_at        timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS tax_payment_taxpayer ON public.tax_payment (taxpayer_id);
CREATE INDEX IF NOT EXISTS tax_payment_declaration ON public.tax_payment (declaration_id);
