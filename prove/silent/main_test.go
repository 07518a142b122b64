// Package silent_test proves that a journey keeps the version it entered with,
// and that whatever Scrip does not do, it says.
package silent_test

import (
	"testing"

	"scrip.dev/scrip/prove/world"
)

func TestMain(m *testing.M) { world.Main(m) }
