-- by person_id, record
-- died_on = payments
-- ward_code = payments
-- programme = payments
WITH way AS
(
    SELECT d.person_id AS person_id, b._record AS beneficiary, p._record AS payment, p.amount AS amount, d.deaths AS deaths
    FROM silver.v_welfare_payment AS p
    INNER JOIN silver.v_welfare_beneficiary AS b ON b.beneficiary_id = p.beneficiary_id AND b._source = p._source
    INNER JOIN
    (
        SELECT assumeNotNull(x.person_id) AS person_id, min(assumeNotNull(x.died_on)) AS died_on, groupArray(x._record) AS deaths
        FROM silver.v_population_death AS x
        WHERE x.person_id IS NOT NULL AND x.died_on IS NOT NULL
        GROUP BY x.person_id
    ) AS d ON d.person_id = b.person_id
    WHERE p.paid_at IS NOT NULL AND p.period > d.died_on
)
SELECT person_id, beneficiary AS record, 'welfare_payment' AS trace_dataset, payment AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['payments', 'last_period', 'amount'], [1, 1, amount IS NOT NULL]) AS trace_figures
FROM way
UNION ALL
SELECT person_id, beneficiary, 'welfare_beneficiary', beneficiary, 'joined', ['payments', 'last_period', 'amount'] FROM way
UNION ALL
SELECT person_id, beneficiary, 'population_death', arrayJoin(deaths), 'joined', ['payments', 'last_period', 'amount'] FROM way
