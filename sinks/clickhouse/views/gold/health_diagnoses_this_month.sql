CREATE OR REPLACE VIEW gold.health_diagnoses_this_month
(
    icd10 String COMMENT 'Nhóm mã ICD-10 (3 ký tự) — ICD-10 group of three characters',
    encounters UInt64 COMMENT 'Số lượt — Encounters',
    patients UInt64 COMMENT 'Số người bệnh — Patients',
    admissions UInt64 COMMENT 'Lượt nội trú — Admissions',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('health_encounter')) AS fresh,
    toDate(fresh) AS today
SELECT
    substring(assumeNotNull(e.icd10), 1, 3) AS icd10,
    count() AS encounters,
    uniqExact(e._source, e.patient_id) AS patients,
    countIf(e.kind = 'inpatient') AS admissions,
    any(fresh) AS as_of
FROM silver.v_health_encounter AS e
WHERE e.icd10 IS NOT NULL AND e.admitted_at >= toStartOfMonth(today)
GROUP BY substring(assumeNotNull(e.icd10), 1, 3)
COMMENT 'Các nhóm bệnh ICD-10 được khám nhiều nhất trong tháng — ICD-10 groups seen most this month'
