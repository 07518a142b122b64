package config_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/config"
)

// payloadKey is a key whose bytes are all the same.
func payloadKey(of string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(of, 32)))
}

func TestLoad_EncryptsNothingUntilAKeyIsGiven(t *testing.T) {
	t.Parallel()
	c, err := project(t, "", nil)
	require.NoError(t, err)
	payloads, err := c.PayloadCodec()
	require.NoError(t, err)
	require.False(t, payloads.On())
}

func TestLoad_TakesPayloadKeysInTheirOrder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(file, []byte("second:"+payloadKey("b")+"\nfirst:"+payloadKey("a")+"\n"), 0o600))
	yaml := "payload_keys:\n  second: ${SECOND}\n  first: ${FIRST}\n"
	for name, given := range map[string]struct {
		yaml string
		env  map[string]string
	}{
		"the file":             {yaml, map[string]string{"SECOND": payloadKey("b"), "FIRST": payloadKey("a")}},
		"the environment":      {"payload_keys: {other: x}", map[string]string{"SCRIP_PAYLOAD_KEYS": "second:" + payloadKey("b") + ", first:" + payloadKey("a")}},
		"the environment_FILE": {"", map[string]string{"SCRIP_PAYLOAD_KEYS_FILE": file}},
	} {
		c, err := project(t, given.yaml, given.env)
		require.NoError(t, err, name)
		require.Len(t, c.PayloadKeys, 2, name)
		require.Equal(t, "second", c.PayloadKeys[0].ID, name)
		require.Equal(t, payloadKey("a"), c.PayloadKeys[1].Secret.Reveal(), name)
		payloads, err := c.PayloadCodec()
		require.NoError(t, err, name)
		require.True(t, payloads.On(), name)
	}
}

func TestPayloadCodec_PointsAtTheKeyThatIsWrongWithoutItsSecret(t *testing.T) {
	t.Parallel()
	c, err := project(t, "payload_keys:\n  new: c2hvcnQ=\n  old: '?'\n", nil)
	require.NoError(t, err)
	_, err = c.PayloadCodec()
	require.ErrorContains(t, err, "scrip.yaml:2:3: payload_keys.new: is 5 bytes long, and has to be 32; make a key with: openssl rand -base64 32")
	require.ErrorContains(t, err, "scrip.yaml:3:3: payload_keys.old: is not base64")
	require.NotContains(t, err.Error(), "c2hvcnQ=")

	_, err = project(t, "payload_keys: {'a b': x}", nil)
	require.ErrorContains(t, err, "payload_keys.a b: a key's id is")
	for _, wrong := range []string{payloadKey("a"), payloadKey("a") + ":id"} {
		_, err = project(t, "", map[string]string{"SCRIP_PAYLOAD_KEYS": wrong})
		require.ErrorContains(t, err, "environment variable SCRIP_PAYLOAD_KEYS: payload_keys: expected id:secret pairs")
		require.NotContains(t, err.Error(), payloadKey("a"))
	}
	_, err = project(t, "", map[string]string{"SCRIP_PAYLOAD_KEYS": "a:" + payloadKey("a") + " a:" + payloadKey("b")})
	require.ErrorContains(t, err, "payload_keys.a: stands there twice")
}

func TestLoad_LetsACodecServerBeReachedOnlyWithAToken(t *testing.T) {
	t.Parallel()
	for _, own := range []string{"127.0.0.1:1", "localhost:1", "[::1]:1"} {
		_, err := project(t, "", map[string]string{"SCRIP_CODEC_LISTEN": own})
		require.NoError(t, err)
	}
	for _, open := range []string{":8082", "0.0.0.0:8082", "10.0.0.1:8082", "codec.example.com:8082"} {
		_, err := project(t, "", map[string]string{"SCRIP_CODEC_LISTEN": open})
		require.ErrorContains(t, err, "codec.token: is missing; "+open+" can be reached from other machines")
		_, err = project(t, "codec:\n  token: ${T}\n", map[string]string{"SCRIP_CODEC_LISTEN": open, "T": "x"})
		require.NoError(t, err)
	}
	for _, wrong := range []string{"http://127.0.0.1:8233/", "127.0.0.1:8233", "*", "https://ui.example.com/x"} {
		_, err := project(t, "codec: {origins: ['"+wrong+"']}", nil)
		require.ErrorContains(t, err, "codec.origins: \""+wrong+"\" is not an origin")
	}
}

func TestAbout_LeavesTheProblemsOfOneKey(t *testing.T) {
	t.Parallel()
	_, err := project(t, "payload_keys:\n  new: ${GONE}\ndatabase:\n  url: ${GONE_TOO}\n", nil)
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	err = problems.About("payload_keys", "codec")
	require.ErrorContains(t, err, "the environment variable GONE is not set")
	require.NotContains(t, err.Error(), "GONE_TOO")
	require.NoError(t, problems.About("codec"))
}
