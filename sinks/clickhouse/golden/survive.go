package golden

import (
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// originType is what gold says of where a value came from.
const originType = "Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, '" + tables.TimeZone + "')), trust UInt8)"

// Places in a claim's tuple: of the trust, the value, the time, and its origin.
const claimPlaces = "(x.%d, x.%d, x.%d, x.%d, x.%d, x.%d, x.%d)"

// Places in a survivor's tuple. The first three decide, the next two break ties.
const (
	wonTrust = iota + 1
	_        // what the attribute asks for first: the time, or how many state it
	_
	wonValue
	wonRecord
	wonSource
	wonTable
	wonVersion
	wonAsOf
)

// claimsOf is the expression for the claims on an attribute, of the array m of
// what records say, in the order of trust, value and time.
func claimsOf(i int) string {
	return fmt.Sprintf("arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> "+claimPlaces+", m)))",
		atFirst+2*i, atFirst+2*i+1, atAsOf, atRecord, atSource, atTable, atVersion)
}

// survivor is the expression for the claim that survives. What
// arrayEnumerateUniq gives to the last claim of a trust and a value is how many
// records state it. The order goes on to the value and ends with the record,
// so that no two claims are alike (P9).
func (a *attribute) survivor() string {
	first, second := "n", "x.3"
	if !a.steady {
		first, second = second, first
	}
	c := "c_" + a.column
	return fmt.Sprintf("arrayMax((x, n) -> (x.1, %s, %s, x.2, x.4, x.5, x.6, x.7, x.3), %s, arrayEnumerateUniq(%s.1, %s.2))", first, second, c, c, c)
}

// assembled gives the columns of a view of one row a node, and its FROM: from
// is the query of nodes with an array m of what their records say, head its
// other columns. Each step is a query of its own: expressions that build on one
// another by alias alone would be written out in full, time and again.
func assembled(attributes []attribute, head []viewColumn, from string) (columns []viewColumn, body string) {
	var claims, kept []string
	for _, h := range head {
		claims, kept = append(claims, h.name), append(kept, h.name)
		h.expr = h.name
		columns = append(columns, h)
	}
	for i := range attributes {
		a := &attributes[i]
		c, w := "c_"+a.column, "w_"+a.column
		claims = append(claims, claimsOf(i)+" AS "+c)
		kept = append(kept, c, a.survivor()+" AS "+w)
		won := func(place int) string { return fmt.Sprintf("%s.%d", w, place) }
		columns = append(columns,
			viewColumn{name: a.column, sqlType: a.sqlType(), expr: a.value(won(wonValue))},
			viewColumn{name: a.column + "_from", sqlType: originType, expr: fmt.Sprintf("CAST((%s, %s, %s, %s, nullIf(%s, %s), %s), "+tables.Quote(originType)+")",
				won(wonSource), won(wonTable), won(wonRecord), won(wonVersion), won(wonAsOf), epoch, won(wonTrust))},
			viewColumn{name: a.column + "_disagree", sqlType: "UInt32", expr: fmt.Sprintf("toUInt32(arrayCount(x -> %s, %s))", a.differs("x.2", won(wonValue)), c)})
	}
	body = fmt.Sprintf(`FROM
(
    SELECT
        %s
    FROM
    (
    SELECT
        %s
    FROM
    (
%s
    )
    )
) AS node`, strings.Join(kept, ",\n        "), strings.Join(claims, ",\n        "), from)
	return columns, body
}
