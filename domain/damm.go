package domain

// dammTable is the totally anti-symmetric quasigroup of order 10 from
// H. Michael Damm, "Total anti-symmetrische Quasigruppen" (2004). It catches
// every single wrong digit, every swap of neighbours and the 13↔30 slips of
// spoken numbers; Luhn misses 09↔90.
var dammTable = [10][10]uint8{
	{0, 3, 1, 7, 5, 9, 8, 6, 4, 2},
	{7, 0, 9, 2, 1, 5, 4, 8, 6, 3},
	{4, 2, 0, 6, 8, 7, 1, 3, 5, 9},
	{1, 7, 5, 0, 9, 8, 3, 4, 2, 6},
	{6, 1, 2, 3, 0, 4, 5, 9, 7, 8},
	{3, 6, 7, 4, 2, 0, 9, 5, 8, 1},
	{5, 8, 6, 9, 7, 2, 0, 1, 3, 4},
	{8, 9, 4, 5, 3, 6, 2, 0, 1, 7},
	{9, 4, 3, 8, 6, 1, 7, 2, 0, 5},
	{2, 5, 8, 1, 4, 3, 6, 7, 9, 0},
}

// damm computes the check digit of a string of ASCII digits.
func damm(digits string) byte {
	var interim uint8
	for i := 0; i < len(digits); i++ {
		interim = dammTable[interim][digits[i]-'0']
	}
	return '0' + interim
}

// dammValid tells whether the last digit checks the ones before it.
func dammValid(digits string) bool { return damm(digits) == '0' }
