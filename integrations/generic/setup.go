package generic

import _ "embed"

//go:embed setup.md
var setup string
