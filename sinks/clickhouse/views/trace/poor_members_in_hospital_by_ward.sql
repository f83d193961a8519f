-- by ward_code, ward_since
-- ward_name = people, ward_name
WITH
    (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('welfare_household', 'welfare_household_member', 'health_encounter', 'health_patient', 'identity_link')) AS today,
    poor AS
    (
        SELECT x.person_id AS person_id, any((h.ward_code, h.decided_on)) AS place, place.1 AS ward_code, place.2 AS decided_on, groupArray(x._record) AS members, groupArray(h._record) AS households
        FROM silver.v_welfare_household_member AS x
        INNER JOIN silver.v_welfare_household AS h ON h.household_id = x.household_id AND h._source = x._source
        WHERE h.category = 'poor' AND x.person_id IS NOT NULL
        GROUP BY x.person_id
    ),
    stay AS
    (
        SELECT person_id, _record, cost, insured_paid
        FROM silver.v_health_encounter
        WHERE kind IN ('inpatient', 'emergency') AND admitted_at >= toStartOfMonth(today) AND person_id IS NOT NULL
    )
SELECT m.ward_code AS ward_code, if(w.name IS NULL OR w.valid_to < ifNull(toDate32(m.decided_on), toDate32(0)), NULL, w.since) AS ward_since, 'health_encounter' AS trace_dataset, e._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['people', 'admissions', 'cost', 'insured_paid'], [1, 1, e.cost IS NOT NULL, e.insured_paid IS NOT NULL]) AS trace_figures
FROM poor AS m INNER JOIN stay AS e ON e.person_id = m.person_id
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = m.ward_code AND w.since <= ifNull(toDate32(m.decided_on), toDate32(0))
UNION ALL
SELECT m.ward_code, if(w.name IS NULL OR w.valid_to < ifNull(toDate32(m.decided_on), toDate32(0)), NULL, w.since), 'welfare_household_member', arrayJoin(m.members), 'joined', ['people', 'admissions', 'cost', 'insured_paid']
FROM poor AS m
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = m.ward_code AND w.since <= ifNull(toDate32(m.decided_on), toDate32(0))
WHERE m.person_id IN (SELECT person_id FROM stay)
UNION ALL
SELECT m.ward_code, if(w.name IS NULL OR w.valid_to < ifNull(toDate32(m.decided_on), toDate32(0)), NULL, w.since), 'welfare_household', arrayJoin(m.households), 'joined', ['people', 'admissions', 'cost', 'insured_paid']
FROM poor AS m
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = m.ward_code AND w.since <= ifNull(toDate32(m.decided_on), toDate32(0))
WHERE m.person_id IN (SELECT person_id FROM stay)
UNION ALL
SELECT code, valid_from, 'population_ward', _record, 'joined', ['ward_name', 'people', 'admissions', 'cost', 'insured_paid'] FROM silver.v_population_ward
