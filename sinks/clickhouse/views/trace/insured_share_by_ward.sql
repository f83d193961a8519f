-- by ward_code
-- ward_name = citizens, ward_name
-- share = citizens, insured
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('population_citizen', 'health_insurance_card', 'health_patient', 'identity_link')) AS today
SELECT c.ward_code AS ward_code, 'population_citizen' AS trace_dataset, c._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['citizens', 'insured'],
        [1, ifNull(c.person_id IN (SELECT person_id FROM silver.v_health_insurance_card WHERE valid_from <= today AND valid_to >= today AND person_id IS NOT NULL), 0)]) AS trace_figures
FROM silver.v_population_citizen AS c
WHERE c.status = 'alive'
UNION ALL
SELECT c.ward_code, 'health_insurance_card', k._record, 'joined', ['insured']
FROM silver.v_population_citizen AS c
INNER JOIN silver.v_health_insurance_card AS k ON k.person_id = c.person_id
WHERE c.status = 'alive' AND k.valid_from <= today AND k.valid_to >= today
UNION ALL
SELECT code, trace_dataset, trace_record, 'joined', ['ward_name'] FROM trace.ward
