-- figures: children, without_record, share by ward_code
CREATE OR REPLACE VIEW gold.children_without_civil_record_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
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
    any(w.name) AS ward_name,
    uniqExact(ifNull(p.person_id, p._record)) AS children,
    uniqExactIf(ifNull(p.person_id, p._record), p.citizen IS NULL) AS without_record,
    without_record / children AS share,
    any(fresh) AS as_of
FROM silver.v_health_patient AS p
LEFT ANY JOIN gold.ward AS w ON w.code = p.ward_code
WHERE p.birth_date IS NOT NULL AND age('year', assumeNotNull(p.birth_date), today) < 6
GROUP BY p.ward_code
COMMENT 'Trẻ dưới 6 tuổi đã khám bệnh nhưng chưa liên kết được với hồ sơ dân cư, theo phường, xã — Children under 6 known to health without a civil record, by ward'
