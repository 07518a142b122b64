// Package control takes safeguards out, to see the proofs fail without them.
//
// A proof that also passes on a program that doesn't keep its promise proves
// nothing. Each Safeguard names some lines of the program and what stands in
// their place without it; the proof is then built with that change (go build's
// -overlay, so nothing in the tree is touched) and run again. It has to fail,
// and to say why.
package control

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"scrip.dev/scrip/prove/proof"
)

// Safeguard is one thing that keeps a promise, and the proof that has to miss it.
type Safeguard struct {
	Name    string // what it is, as a test's name: "the unique index of entries"
	File    string // from the module's root
	Old     string // the lines as they stand there, exactly once
	New     string // what stands there without it
	Package string // of the proof, from the module's root: "./prove/exact"
	Proof   string // the test, as -run names it: TestPromise3_OneCodeOneHolder, or one of its parts after a slash
	Says    string // part of what the proof has to say when it fails
	Env     []string
}

// building bounds the builds under way at once: each takes every processor.
var building = make(chan struct{}, 1)

// Miss runs the proof, in its short form, without the safeguard. The test fails
// where the proof passes, or fails for another reason, and is skipped where the proof
// is. Outside of `make prove` it only looks whether the lines still stand there.
func Miss(t *testing.T, s Safeguard) {
	t.Helper()
	root := moduleRoot(t)
	overlay := s.overlay(t, root)
	if !proof.Full() {
		t.Skip("the lines stand where they should; that the proof fails without them is seen by `make prove`, as it takes minutes")
	}
	binary := filepath.Join(t.TempDir(), "proof.test")
	environment := append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	building <- struct{}{}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-o", binary, s.Package)
	build.Dir, build.Env = root, environment
	out, err := build.CombinedOutput()
	<-building
	require.NoError(t, err, "building the proof without %s:\n%s", s.Name, out)

	run := exec.CommandContext(t.Context(), binary, "-test.run", "^"+s.Proof+"$", "-test.v", "-test.timeout", "10m")
	run.Dir, run.Env = filepath.Join(root, s.Package), append(proof.Short(environment), s.Env...)
	out, err = run.CombinedOutput()
	test, _, _ := strings.Cut(s.Proof, "/")
	if bytes.Contains(out, []byte("--- SKIP: "+s.Proof+" (")) {
		t.Skipf("the proof can't run on this machine:\n%s", tail(out))
	}
	require.Contains(t, string(out), "--- FAIL: "+test, "without %s the proof still passes (%v):\n%s", s.Name, err, tail(out))
	require.Contains(t, string(out), s.Says, "without %s the proof fails for another reason:\n%s", s.Name, tail(out))
}

// overlay writes the changed file and the map that tells go build of it.
func (s Safeguard) overlay(t *testing.T, root string) string {
	t.Helper()
	path := filepath.Join(root, s.File)
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(source, []byte(s.Old)), "%s: these lines stand there once, else the control is out of date:\n%s", s.File, s.Old)
	dir := t.TempDir()
	changed := filepath.Join(dir, filepath.Base(s.File))
	require.NoError(t, os.WriteFile(changed, bytes.Replace(source, []byte(s.Old), []byte(s.New), 1), 0o600))
	files, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	require.NoError(t, err)
	overlay := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlay, files, 0o600))
	return overlay
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, parent, dir, "there is no go.mod above the test")
		dir = parent
	}
}

func tail(out []byte) string {
	const most = 6000
	if len(out) > most {
		out = out[len(out)-most:]
	}
	return string(out)
}
