-- by programme
-- share = beneficiaries, uninsured
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('welfare_beneficiary', 'health_insurance_card', 'health_patient', 'identity_link')) AS today
SELECT b.programme AS programme, 'welfare_beneficiary' AS trace_dataset, b._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['beneficiaries', 'uninsured'],
        [1, ifNull(b.person_id IS NULL OR b.person_id NOT IN (SELECT person_id FROM silver.v_health_insurance_card WHERE valid_from <= today AND valid_to >= today AND person_id IS NOT NULL), 0)]) AS trace_figures
FROM silver.v_welfare_beneficiary AS b
WHERE b.status = 'active'
UNION ALL
SELECT b.programme, 'health_insurance_card', k._record, 'joined', ['uninsured']
FROM silver.v_welfare_beneficiary AS b
INNER JOIN silver.v_health_insurance_card AS k ON k.person_id = b.person_id
WHERE b.status = 'active' AND k.valid_from <= today AND k.valid_to >= today
