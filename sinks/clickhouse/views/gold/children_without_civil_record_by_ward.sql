-- figures: children, without_record, share by ward_code, ward_since
CREATE OR REPLACE VIEW gold.children_without_civil_record_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    ward_since Nullable(Date32) COMMENT 'Mã chỉ phường, xã này từ ngày (trống: danh mục không có mã đó vào ngày lập hồ sơ) — Since when the code names this ward; a code was used again for another on 2025-07-01. Empty: the register has no ward of the code on the day of the record',
    ward_name Nullable(String) COMMENT 'Tên phường, xã — Name of the ward',
    children UInt64 COMMENT 'Trẻ dưới 6 tuổi trong y tế — Children under 6 known to health',
    without_record UInt64 COMMENT 'Chưa có hồ sơ dân cư — Without a civil record',
    share Nullable(Float64) COMMENT 'Tỷ lệ — Share',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('health_patient', 'population_citizen', 'identity_link')) AS fresh,
    toDate(fresh) AS today
SELECT
    p.ward_code AS ward_code,
    if(w.name IS NULL OR w.valid_to < ifNull(toDate32(p.updated_at), toDate32(0)), NULL, w.since) AS ward_since,
    if(ward_since IS NULL, NULL, any(w.name)) AS ward_name,
    uniqExact(ifNull(p.person_id, p._record)) AS children,
    uniqExactIf(ifNull(p.person_id, p._record), p.citizen IS NULL) AS without_record,
    without_record / children AS share,
    any(fresh) AS as_of
FROM silver.v_health_patient AS p
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = p.ward_code AND w.since <= ifNull(toDate32(p.updated_at), toDate32(0))
WHERE p.birth_date IS NOT NULL AND age('year', assumeNotNull(p.birth_date), today) < 6
GROUP BY p.ward_code, ward_since
COMMENT 'Trẻ dưới 6 tuổi đã khám bệnh nhưng chưa liên kết được với hồ sơ dân cư, theo phường, xã — Children under 6 known to health without a civil record, by ward'
