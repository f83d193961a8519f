CREATE OR REPLACE VIEW gold.poverty_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    ward_name Nullable(String) COMMENT 'Tên phường, xã — Name of the ward',
    poor UInt64 COMMENT 'Hộ nghèo — Poor households',
    near_poor UInt64 COMMENT 'Hộ cận nghèo — Near-poor households',
    escaped UInt64 COMMENT 'Hộ đã thoát nghèo — Households escaped from poverty',
    members UInt64 COMMENT 'Nhân khẩu nghèo và cận nghèo — Members of poor and near-poor households',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_household', 'welfare_household_member', 'population_ward')) AS fresh,
    toDate(fresh) AS today
SELECT
    h.ward_code AS ward_code,
    any(w.name) AS ward_name,
    countIf(h.category = 'poor') AS poor,
    countIf(h.category = 'near_poor') AS near_poor,
    countIf(h.category = 'escaped') AS escaped,
    sumIf(m.members, h.category != 'escaped') AS members,
    any(fresh) AS as_of
FROM silver.v_welfare_household AS h
LEFT ANY JOIN (SELECT _source, household_id, count() AS members FROM silver.v_welfare_household_member GROUP BY _source, household_id) AS m
    ON m.household_id = h.household_id AND m._source = h._source
LEFT ANY JOIN gold.ward AS w ON w.code = h.ward_code
GROUP BY h.ward_code
COMMENT 'Hộ nghèo, hộ cận nghèo và nhân khẩu theo phường, xã — Poor and near-poor households and their members by ward'
