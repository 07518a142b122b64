package worst

import (
	"io"
	"log"
	"os"
	"testing"
)

// net/http tells the standard logger of every answer that comes twice.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}
