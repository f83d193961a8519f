package city

import (
	"hash/fnv"
	"time"
)

// Kinds of ward, as the population register writes them.
const (
	kindWard        = "ward"
	kindCommune     = "commune"
	kindSpecialZone = "special_zone"
)

// Ward is an administrative unit of the lowest level with its code. A code names
// a place only together with its period: see formerWards.
type Ward struct {
	Code, Name, Kind string
}

// wards are the 168 wards, communes and special zone of the city since 1 July
// 2025 (Prime Minister's decision 19/2025/QĐ-TTg).
var wards = []Ward{
	{"25747", "Thủ Dầu Một", kindWard},
	{"25750", "Phú Lợi", kindWard},
	{"25760", "Bình Dương", kindWard},
	{"25768", "Phú An", kindWard},
	{"25771", "Chánh Hiệp", kindWard},
	{"25813", "Bến Cát", kindWard},
	{"25837", "Chánh Phú Hòa", kindWard},
	{"25840", "Long Nguyên", kindWard},
	{"25843", "Tây Nam", kindWard},
	{"25846", "Thới Hòa", kindWard},
	{"25849", "Hòa Lợi", kindWard},
	{"25888", "Tân Uyên", kindWard},
	{"25891", "Tân Khánh", kindWard},
	{"25912", "Vĩnh Tân", kindWard},
	{"25915", "Bình Cơ", kindWard},
	{"25920", "Tân Hiệp", kindWard},
	{"25942", "Dĩ An", kindWard},
	{"25945", "Tân Đông Hiệp", kindWard},
	{"25951", "Đông Hòa", kindWard},
	{"25966", "Lái Thiêu", kindWard},
	{"25969", "Thuận Giao", kindWard},
	{"25975", "An Phú", kindWard},
	{"25978", "Thuận An", kindWard},
	{"25987", "Bình Hòa", kindWard},
	{"26506", "Vũng Tàu", kindWard},
	{"26526", "Tam Thắng", kindWard},
	{"26536", "Rạch Dừa", kindWard},
	{"26542", "Phước Thắng", kindWard},
	{"26560", "Bà Rịa", kindWard},
	{"26566", "Long Hương", kindWard},
	{"26572", "Tam Long", kindWard},
	{"26704", "Phú Mỹ", kindWard},
	{"26710", "Tân Hải", kindWard},
	{"26713", "Tân Phước", kindWard},
	{"26725", "Tân Thành", kindWard},
	{"26737", "Tân Định", kindWard},
	{"26740", "Sài Gòn", kindWard},
	{"26743", "Bến Thành", kindWard},
	{"26758", "Cầu Ông Lãnh", kindWard},
	{"26767", "An Phú Đông", kindWard},
	{"26773", "Thới An", kindWard},
	{"26782", "Tân Thới Hiệp", kindWard},
	{"26785", "Trung Mỹ Tây", kindWard},
	{"26791", "Đông Hưng Thuận", kindWard},
	{"26800", "Linh Xuân", kindWard},
	{"26803", "Tam Bình", kindWard},
	{"26809", "Hiệp Bình", kindWard},
	{"26824", "Thủ Đức", kindWard},
	{"26833", "Long Bình", kindWard},
	{"26842", "Tăng Nhơn Phú", kindWard},
	{"26848", "Phước Long", kindWard},
	{"26857", "Long Phước", kindWard},
	{"26860", "Long Trường", kindWard},
	{"26876", "An Nhơn", kindWard},
	{"26878", "An Hội Đông", kindWard},
	{"26882", "An Hội Tây", kindWard},
	{"26884", "Gò Vấp", kindWard},
	{"26890", "Hạnh Thông", kindWard},
	{"26898", "Thông Tây Hội", kindWard},
	{"26905", "Bình Lợi Trung", kindWard},
	{"26911", "Bình Quới", kindWard},
	{"26929", "Bình Thạnh", kindWard},
	{"26944", "Gia Định", kindWard},
	{"26956", "Thạnh Mỹ Tây", kindWard},
	{"26968", "Tân Sơn Nhất", kindWard},
	{"26977", "Tân Sơn Hòa", kindWard},
	{"26983", "Bảy Hiền", kindWard},
	{"26995", "Tân Hòa", kindWard},
	{"27004", "Tân Bình", kindWard},
	{"27007", "Tân Sơn", kindWard},
	{"27013", "Tây Thạnh", kindWard},
	{"27019", "Tân Sơn Nhì", kindWard},
	{"27022", "Phú Thọ Hòa", kindWard},
	{"27028", "Phú Thạnh", kindWard},
	{"27031", "Tân Phú", kindWard},
	{"27043", "Đức Nhuận", kindWard},
	{"27058", "Cầu Kiệu", kindWard},
	{"27073", "Phú Nhuận", kindWard},
	{"27094", "An Khánh", kindWard},
	{"27097", "Bình Trưng", kindWard},
	{"27112", "Cát Lái", kindWard},
	{"27139", "Xuân Hòa", kindWard},
	{"27142", "Nhiêu Lộc", kindWard},
	{"27154", "Bàn Cờ", kindWard},
	{"27163", "Hòa Hưng", kindWard},
	{"27169", "Diên Hồng", kindWard},
	{"27190", "Vườn Lài", kindWard},
	{"27211", "Hòa Bình", kindWard},
	{"27226", "Phú Thọ", kindWard},
	{"27232", "Bình Thới", kindWard},
	{"27238", "Minh Phụng", kindWard},
	{"27259", "Xóm Chiếu", kindWard},
	{"27265", "Khánh Hội", kindWard},
	{"27286", "Vĩnh Hội", kindWard},
	{"27301", "Chợ Quán", kindWard},
	{"27316", "An Đông", kindWard},
	{"27343", "Chợ Lớn", kindWard},
	{"27349", "Phú Lâm", kindWard},
	{"27364", "Bình Phú", kindWard},
	{"27367", "Bình Tây", kindWard},
	{"27373", "Bình Tiên", kindWard},
	{"27418", "Chánh Hưng", kindWard},
	{"27424", "Bình Đông", kindWard},
	{"27427", "Phú Định", kindWard},
	{"27439", "Bình Hưng Hòa", kindWard},
	{"27442", "Bình Tân", kindWard},
	{"27448", "Bình Trị Đông", kindWard},
	{"27457", "Tân Tạo", kindWard},
	{"27460", "An Lạc", kindWard},
	{"27475", "Tân Hưng", kindWard},
	{"27478", "Tân Thuận", kindWard},
	{"27484", "Phú Thuận", kindWard},
	{"27487", "Tân Mỹ", kindWard},
	{"25777", "Dầu Tiếng", kindCommune},
	{"25780", "Minh Thạnh", kindCommune},
	{"25792", "Long Hòa", kindCommune},
	{"25807", "Thanh An", kindCommune},
	{"25819", "Trừ Văn Thố", kindCommune},
	{"25822", "Bàu Bàng", kindCommune},
	{"25858", "Phú Giáo", kindCommune},
	{"25864", "Phước Thành", kindCommune},
	{"25867", "An Long", kindCommune},
	{"25882", "Phước Hòa", kindCommune},
	{"25906", "Bắc Tân Uyên", kindCommune},
	{"25909", "Thường Tân", kindCommune},
	{"26545", "Long Sơn", kindCommune},
	{"26575", "Ngãi Giao", kindCommune},
	{"26584", "Xuân Sơn", kindCommune},
	{"26590", "Bình Giã", kindCommune},
	{"26596", "Châu Đức", kindCommune},
	{"26608", "Kim Long", kindCommune},
	{"26617", "Nghĩa Thành", kindCommune},
	{"26620", "Hồ Tràm", kindCommune},
	{"26632", "Xuyên Mộc", kindCommune},
	{"26638", "Bàu Lâm", kindCommune},
	{"26641", "Hòa Hội", kindCommune},
	{"26647", "Hòa Hiệp", kindCommune},
	{"26656", "Bình Châu", kindCommune},
	{"26659", "Long Điền", kindCommune},
	{"26662", "Long Hải", kindCommune},
	{"26680", "Đất Đỏ", kindCommune},
	{"26686", "Phước Hải", kindCommune},
	{"26728", "Châu Pha", kindCommune},
	{"27496", "Tân An Hội", kindCommune},
	{"27508", "An Nhơn Tây", kindCommune},
	{"27511", "Nhuận Đức", kindCommune},
	{"27526", "Thái Mỹ", kindCommune},
	{"27541", "Phú Hòa Đông", kindCommune},
	{"27544", "Bình Mỹ", kindCommune},
	{"27553", "Củ Chi", kindCommune},
	{"27559", "Hóc Môn", kindCommune},
	{"27568", "Đông Thạnh", kindCommune},
	{"27577", "Xuân Thới Sơn", kindCommune},
	{"27592", "Bà Điểm", kindCommune},
	{"27595", "Tân Nhựt", kindCommune},
	{"27601", "Vĩnh Lộc", kindCommune},
	{"27604", "Tân Vĩnh Lộc", kindCommune},
	{"27610", "Bình Lợi", kindCommune},
	{"27619", "Bình Hưng", kindCommune},
	{"27628", "Hưng Long", kindCommune},
	{"27637", "Bình Chánh", kindCommune},
	{"27655", "Nhà Bè", kindCommune},
	{"27658", "Hiệp Phước", kindCommune},
	{"27664", "Cần Giờ", kindCommune},
	{"27667", "Bình Khánh", kindCommune},
	{"27673", "An Thới Đông", kindCommune},
	{"27676", "Thạnh An", kindCommune},
	{"26732", "Côn Đảo", kindSpecialZone},
}

// formerWard is a ward that was merged away on 1 July 2025.
type formerWard struct {
	code, name string
	now        string // code of the ward that has most of it today
}

// formerWards are wards of the former District 1 and of the former city of Thủ
// Đức: most of their codes name other places today (26737 was Đa Kao and is Tân
// Định). Records of before the reform carry them.
var formerWards = []formerWard{
	{"26734", "Tân Định", "26737"},
	{"26737", "Đa Kao", "26737"},
	{"26740", "Bến Nghé", "26740"},
	{"26743", "Bến Thành", "26743"},
	{"26746", "Nguyễn Thái Bình", "26743"},
	{"26749", "Phạm Ngũ Lão", "26743"},
	{"26752", "Cầu Ông Lãnh", "26758"},
	{"26755", "Cô Giang", "26758"},
	{"26758", "Nguyễn Cư Trinh", "26758"},
	{"26761", "Cầu Kho", "26758"},
	{"26800", "Linh Xuân", "26800"},
	{"26803", "Bình Chiểu", "26803"},
	{"26806", "Linh Trung", "26800"},
	{"26809", "Tam Bình", "26803"},
	{"26812", "Tam Phú", "26803"},
	{"26815", "Hiệp Bình Phước", "26809"},
	{"26818", "Hiệp Bình Chánh", "26809"},
	{"26821", "Linh Chiểu", "26824"},
	{"26824", "Linh Tây", "26824"},
	{"26827", "Linh Đông", "26809"},
	{"26830", "Bình Thọ", "26824"},
	{"26833", "Trường Thọ", "26824"},
}

// wardOn is the code that the ward of an address had on a day. Before the reform
// an address stood in one of the wards that became the ward of today; where the
// list of these has none, it stood in that whose code the new ward took.
func wardOn(ward int, address string, on time.Time) string {
	code := wards[ward].Code
	if !on.Before(merger) {
		return code
	}
	var were []string
	for _, f := range formerWards {
		if f.now == code {
			were = append(were, f.code)
		}
	}
	if len(were) == 0 {
		return code
	}
	h := fnv.New32a()
	h.Write([]byte(address))
	return were[int(h.Sum32()%uint32(len(were)))]
}
