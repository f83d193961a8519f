SELECT
    'citizens.poor_in_hospital' AS code,
    'Thành viên hộ nghèo nhập viện trong tháng' AS name_vi,
    'Members of poor households admitted this month' AS name_en,
    'người' AS unit,
    toNullable(toFloat64(sum(people))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_household_member', 'health_encounter', 'identity_link')) AS as_of,
    ['welfare_household_member', 'health_encounter', 'identity_link'] AS sources
FROM gold.poor_members_in_hospital_by_ward
UNION ALL
SELECT
    'citizens.uninsured_beneficiaries' AS code,
    'Đối tượng bảo trợ chưa có bảo hiểm y tế' AS name_vi,
    'Beneficiaries without health insurance' AS name_en,
    'người' AS unit,
    toNullable(toFloat64(sum(uninsured))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_beneficiary', 'health_insurance_card', 'identity_link')) AS as_of,
    ['welfare_beneficiary', 'health_insurance_card', 'identity_link'] AS sources
FROM gold.beneficiaries_without_insurance_by_programme
