package faults_test

import (
	"testing"

	"scrip.dev/scrip/prove/world"
)

func TestMain(m *testing.M) { world.Main(m) }
