-- figures: beneficiaries, uninsured, share by programme
CREATE OR REPLACE VIEW gold.beneficiaries_without_insurance_by_programme
(
    programme Nullable(String) COMMENT 'Chính sách — Programme',
    beneficiaries UInt64 COMMENT 'Đang hưởng — Active beneficiaries',
    uninsured UInt64 COMMENT 'Chưa có thẻ còn hạn — Without a valid card',
    share Nullable(Float64) COMMENT 'Tỷ lệ — Share',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_beneficiary', 'health_insurance_card', 'health_patient', 'identity_link')) AS fresh,
    toDate(fresh) AS today
SELECT
    b.programme AS programme,
    count() AS beneficiaries,
    countIf(b.person_id IS NULL OR b.person_id NOT IN (SELECT person_id FROM silver.v_health_insurance_card WHERE valid_from <= today AND valid_to >= today AND person_id IS NOT NULL)) AS uninsured,
    uninsured / beneficiaries AS share,
    any(fresh) AS as_of
FROM silver.v_welfare_beneficiary AS b
WHERE b.status = 'active'
GROUP BY b.programme
COMMENT 'Đối tượng đang hưởng trợ cấp chưa có thẻ bảo hiểm y tế còn hạn, theo chính sách — Active beneficiaries without a valid health insurance card, by programme'
