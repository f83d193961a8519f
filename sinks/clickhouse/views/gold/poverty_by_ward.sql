CREATE OR REPLACE VIEW gold.poverty_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    ward_since Nullable(Date32) COMMENT 'Mã chỉ phường, xã này từ ngày (trống: danh mục không có mã đó vào ngày lập hồ sơ) — Since when the code names this ward; a code was used again for another on 2025-07-01. Empty: the register has no ward of the code on the day of the record',
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
    if(w.name IS NULL OR w.valid_to < ifNull(toDate32(h.decided_on), toDate32(0)), NULL, w.since) AS ward_since,
    if(ward_since IS NULL, NULL, any(w.name)) AS ward_name,
    countIf(h.category = 'poor') AS poor,
    countIf(h.category = 'near_poor') AS near_poor,
    countIf(h.category = 'escaped') AS escaped,
    sumIf(m.members, h.category != 'escaped') AS members,
    any(fresh) AS as_of
FROM silver.v_welfare_household AS h
LEFT ANY JOIN (SELECT _source, household_id, count() AS members FROM silver.v_welfare_household_member GROUP BY _source, household_id) AS m
    ON m.household_id = h.household_id AND m._source = h._source
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = h.ward_code AND w.since <= ifNull(toDate32(h.decided_on), toDate32(0))
GROUP BY h.ward_code, ward_since
COMMENT 'Hộ nghèo, hộ cận nghèo và nhân khẩu theo phường, xã — Poor and near-poor households and their members by ward'
