package bench

import (
	"flag"
	"os"
	"testing"
	"time"

	"scrip.dev/scrip/prove/world"
)

var (
	window = flag.Duration("window", time.Minute, "how long each turn of a figure or its limit takes")
	rounds = flag.Int("rounds", 5, "how many turns each has")
)

func TestMain(m *testing.M) {
	if address := os.Getenv(bareVariable); address != "" {
		os.Exit(workBare(address))
	}
	world.Main(m)
}
