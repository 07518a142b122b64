package sendgrid

import _ "embed"

//go:embed setup.md
var setup string
