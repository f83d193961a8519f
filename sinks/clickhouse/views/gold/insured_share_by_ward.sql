-- figures: citizens, insured, share by ward_code
CREATE OR REPLACE VIEW gold.insured_share_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    ward_name Nullable(String) COMMENT 'Tên phường, xã — Name of the ward',
    citizens UInt64 COMMENT 'Số người — People',
    insured UInt64 COMMENT 'Có thẻ còn hạn — With a valid card',
    share Nullable(Float64) COMMENT 'Tỷ lệ — Share',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_citizen', 'health_insurance_card', 'health_patient', 'identity_link')) AS fresh,
    toDate(fresh) AS today
SELECT
    c.ward_code AS ward_code,
    any(w.name) AS ward_name,
    count() AS citizens,
    countIf(c.person_id IN (SELECT person_id FROM silver.v_health_insurance_card WHERE valid_from <= today AND valid_to >= today AND person_id IS NOT NULL)) AS insured,
    insured / citizens AS share,
    any(fresh) AS as_of
FROM silver.v_population_citizen AS c
LEFT ANY JOIN gold.ward AS w ON w.code = c.ward_code
WHERE c.status = 'alive'
GROUP BY c.ward_code
COMMENT 'Tỷ lệ dân số có thẻ bảo hiểm y tế còn hạn theo phường, xã — Share of the population with a valid health insurance card, by ward'
