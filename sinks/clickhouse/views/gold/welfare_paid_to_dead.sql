-- figures: payments, amount by record, programme, ward_code
CREATE OR REPLACE VIEW gold.welfare_paid_to_dead
(
    person_id String COMMENT 'Mã người thống nhất — The person\'s id over all sectors',
    programme Nullable(String) COMMENT 'Chính sách — Programme',
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    died_on Date32 COMMENT 'Ngày mất — Date of death',
    payments UInt64 COMMENT 'Số kỳ đã chi sau khi mất — Payments for months after the death',
    amount Decimal(38, 2) COMMENT 'Số tiền (đồng) — Amount in dong',
    last_period Nullable(Date32) COMMENT 'Kỳ chi gần nhất — Latest month paid for',
    record String COMMENT 'Bản ghi đối tượng — Record of the beneficiary',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_payment', 'welfare_beneficiary', 'population_death', 'identity_link')) AS fresh,
    toDate(fresh) AS today
SELECT
    d.person_id AS person_id,
    any(b.programme) AS programme,
    any(b.ward_code) AS ward_code,
    any(d.died_on) AS died_on,
    count() AS payments,
    ifNull(sum(p.amount), 0) AS amount,
    max(p.period) AS last_period,
    b._record AS record,
    any(fresh) AS as_of
FROM silver.v_welfare_payment AS p
INNER JOIN silver.v_welfare_beneficiary AS b ON b.beneficiary_id = p.beneficiary_id AND b._source = p._source
INNER JOIN
(
    SELECT assumeNotNull(x.person_id) AS person_id, min(assumeNotNull(x.died_on)) AS died_on
    FROM silver.v_population_death AS x
    WHERE x.person_id IS NOT NULL AND x.died_on IS NOT NULL
    GROUP BY x.person_id
) AS d ON d.person_id = b.person_id
WHERE p.paid_at IS NOT NULL AND p.period > d.died_on
GROUP BY d.person_id, b._record
COMMENT 'Trợ cấp đã chi cho người đã đăng ký khai tử — Welfare paid to people registered as dead'
