package pgoutput

import "testing"

// visitRow is a row of 13 columns and about 220 bytes, as the load of the
// capture benchmarks has it.
func visitRow() []byte {
	return tuple("1234567", "9b2f6a1e-3c44-4f5e-8a77-0d1c2b3a4f55", "001234567890", "Nguyễn Thị Minh Khai", "1984-07-21", "F",
		"BV Đa khoa tỉnh", "2024-02-29 12:34:56.123456+00", "J18.9", "1250000.00", "t", "viêm phổi, theo dõi ngoại trú 7 ngày", nil)
}

func BenchmarkDecode(b *testing.B) {
	for name, frame := range map[string][]byte{
		"insert": build('I', uint32(16414), 'N', visitRow()),
		"update": build('U', uint32(16414), 'O', visitRow(), 'N', visitRow()),
		"delete": build('D', uint32(16414), 'K', tuple("1234567", nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil)),
	} {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Decode(frame); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
