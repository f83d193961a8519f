-- figures: people, admissions, cost, insured_paid by ward_code, ward_since
CREATE OR REPLACE VIEW gold.poor_members_in_hospital_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    ward_since Nullable(Date32) COMMENT 'Mã chỉ phường, xã này từ ngày (trống: danh mục không có mã đó vào ngày lập hồ sơ) — Since when the code names this ward; a code was used again for another on 2025-07-01. Empty: the register has no ward of the code on the day of the record',
    ward_name Nullable(String) COMMENT 'Tên phường, xã — Name of the ward',
    people UInt64 COMMENT 'Số người — People',
    admissions UInt64 COMMENT 'Lượt nhập viện — Admissions',
    cost Decimal(38, 2) COMMENT 'Chi phí (đồng) — Cost in dong',
    insured_paid Decimal(38, 2) COMMENT 'Bảo hiểm chi trả (đồng) — Paid by insurance in dong',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_household', 'welfare_household_member', 'health_encounter', 'health_patient', 'identity_link')) AS fresh,
    toDate(fresh) AS today
SELECT
    m.ward_code AS ward_code,
    if(w.name IS NULL OR w.valid_to < ifNull(toDate32(m.decided_on), toDate32(0)), NULL, w.since) AS ward_since,
    if(ward_since IS NULL, NULL, any(w.name)) AS ward_name,
    uniqExact(m.person_id) AS people,
    count() AS admissions,
    ifNull(sum(e.cost), 0) AS cost,
    ifNull(sum(e.insured_paid), 0) AS insured_paid,
    any(fresh) AS as_of
FROM
(
    SELECT x.person_id AS person_id, any((h.ward_code, h.decided_on)) AS place, place.1 AS ward_code, place.2 AS decided_on
    FROM silver.v_welfare_household_member AS x
    INNER JOIN silver.v_welfare_household AS h ON h.household_id = x.household_id AND h._source = x._source
    WHERE h.category = 'poor' AND x.person_id IS NOT NULL
    GROUP BY x.person_id
) AS m
INNER JOIN
(
    SELECT person_id, cost, insured_paid
    FROM silver.v_health_encounter
    WHERE kind IN ('inpatient', 'emergency') AND admitted_at >= toStartOfMonth(today) AND person_id IS NOT NULL
) AS e ON e.person_id = m.person_id
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = m.ward_code AND w.since <= ifNull(toDate32(m.decided_on), toDate32(0))
GROUP BY m.ward_code, ward_since
COMMENT 'Thành viên hộ nghèo nhập viện trong tháng theo phường, xã — Members of poor households admitted to hospital this month, by ward'
