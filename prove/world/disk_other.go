//go:build !linux

package world

import "testing"

func (w *World) mountDisk(t testing.TB) { t.Skip("a small disk for Postgres needs Linux") }
