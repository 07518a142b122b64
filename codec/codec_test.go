package codec_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"pgregory.net/rapid"

	"scrip.dev/scrip/codec"
)

func secret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	return base64.StdEncoding.EncodeToString(raw[:])
}

func key(t testing.TB, id, secret string) codec.Key {
	t.Helper()
	k, err := codec.NewKey(id, secret)
	require.NoError(t, err)
	return k
}

func payload(t testing.TB, value any) *commonpb.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(value)
	require.NoError(t, err)
	return p
}

func one(t testing.TB, do func([]*commonpb.Payload) ([]*commonpb.Payload, error), in *commonpb.Payload) *commonpb.Payload {
	t.Helper()
	out, err := do([]*commonpb.Payload{in})
	require.NoError(t, err)
	require.Len(t, out, 1)
	return out[0]
}

func TestCodec_GivesBackWhatItEncrypted(t *testing.T) {
	t.Parallel()
	c := codec.New(key(t, "2026", secret()))
	rapid.Check(t, func(r *rapid.T) {
		in := &commonpb.Payload{
			Metadata: map[string][]byte{"encoding": []byte(rapid.String().Draw(r, "encoding")), rapid.String().Draw(r, "name"): rapid.SliceOf(rapid.Byte()).Draw(r, "value")},
			Data:     rapid.SliceOf(rapid.Byte()).Draw(r, "data"),
		}
		encrypted, err := c.Encode([]*commonpb.Payload{in})
		if err != nil {
			r.Fatal(err)
		}
		out, err := c.Decode(encrypted)
		if err != nil {
			r.Fatal(err)
		}
		if !bytes.Equal(out[0].GetData(), in.GetData()) || fmt.Sprint(out[0].GetMetadata()) != fmt.Sprint(in.GetMetadata()) {
			r.Fatalf("%v became %v", in, out[0])
		}
	})
}

func TestCodec_HidesThePayloadAndNeverRepeatsItself(t *testing.T) {
	t.Parallel()
	c := codec.New(key(t, "2026", secret()))
	in := payload(t, map[string]string{"journey": "jn_1"})
	first, second := one(t, c.Encode, in), one(t, c.Encode, in)
	require.NotContains(t, first.String(), "jn_1")
	require.NotContains(t, first.String(), "json/plain")
	require.Equal(t, "binary/encrypted", string(first.Metadata["encoding"]))
	require.Equal(t, "2026", string(first.Metadata["encryption-key-id"]))
	require.NotEqual(t, first.Data, second.Data)
	require.Equal(t, "json/plain", string(in.Metadata["encoding"]), "what was given is not changed")
}

func TestCodec_TheFirstKeyEncryptsAndEveryKeyDecrypts(t *testing.T) {
	t.Parallel()
	old, new := key(t, "old", secret()), key(t, "new", secret())
	before := one(t, codec.New(old).Encode, payload(t, "before"))
	rotated := codec.New(new, old)
	require.Equal(t, payload(t, "before").Data, one(t, rotated.Decode, before).Data)
	after := one(t, rotated.Encode, payload(t, "after"))
	require.Equal(t, "new", string(after.Metadata["encryption-key-id"]))
	_, err := codec.New(old).Decode([]*commonpb.Payload{after})
	var unreadable *codec.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	require.ErrorContains(t, err, `the key "new", which is not among payload_keys`)
}

func TestCodec_RefusesWhatWasChangedUnderIt(t *testing.T) {
	t.Parallel()
	shared := secret()
	c := codec.New(key(t, "a", shared), key(t, "b", shared))
	for name, change := range map[string]func(*commonpb.Payload){
		"a bit of the text":  func(p *commonpb.Payload) { p.Data[len(p.Data)-1] ^= 1 },
		"a bit of the nonce": func(p *commonpb.Payload) { p.Data[0] ^= 1 },
		"the key's id":       func(p *commonpb.Payload) { p.Metadata["encryption-key-id"] = []byte("b") },
		"its end":            func(p *commonpb.Payload) { p.Data = p.Data[:5] },
		"all of it":          func(p *commonpb.Payload) { p.Data = nil },
	} {
		p := one(t, c.Encode, payload(t, "text"))
		change(p)
		_, err := c.Decode([]*commonpb.Payload{p})
		var unreadable *codec.UnreadableError
		require.ErrorAs(t, err, &unreadable, name)
	}
}

func TestCodec_TakesClearTextAsItIs(t *testing.T) {
	t.Parallel()
	in := payload(t, map[string]string{"order": "1001"})
	require.Equal(t, in, one(t, codec.New(key(t, "2026", secret())).Decode, in))
}

func TestCodec_WithoutAKeyChangesNothingAndReadsNothingEncrypted(t *testing.T) {
	t.Parallel()
	off := codec.New()
	require.False(t, off.On())
	in := payload(t, "text")
	require.Equal(t, in, one(t, off.Encode, in))
	_, err := off.Decode([]*commonpb.Payload{one(t, codec.New(key(t, "2026", secret())).Encode, in)})
	require.ErrorContains(t, err, "add the key again")
}

func TestNewKey_SaysWhatIsWrongWithoutRepeatingTheSecret(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct{ id, secret, says string }{
		{"", secret(), "id"},
		{"a b", secret(), "id"},
		{"a:b", secret(), "id"},
		{"a", "not-base64!", "not base64"},
		{"a", base64.StdEncoding.EncodeToString([]byte("short")), "5 bytes long, and has to be 32"},
	} {
		_, err := codec.NewKey(wrong.id, wrong.secret)
		require.ErrorContains(t, err, wrong.says)
		require.NotContains(t, err.Error(), wrong.secret)
	}
}

// bursts is a value whose decoding panics.
type bursts struct{}

func (*bursts) UnmarshalJSON([]byte) error { panic("burst") }

func TestConverter_APanicInAWorkflowsDecodingReachesTheWorkflow(t *testing.T) {
	t.Parallel()
	in := codec.Converter(codec.New()).(converter.ContextAware).WithWorkflowContext(nil)
	sent := payload(t, "text")
	require.PanicsWithValue(t, "burst", func() { _ = in.FromPayload(sent, &bursts{}) })
	require.PanicsWithValue(t, "burst", func() { _ = in.FromPayloads(&commonpb.Payloads{Payloads: []*commonpb.Payload{sent}}, &bursts{}) })
	var text string
	require.NoError(t, in.FromPayload(sent, &text))
	require.Equal(t, "text", text)
}

func BenchmarkCodec_AJourneysInput(b *testing.B) {
	c := codec.New(key(b, "2026", secret()))
	in := payload(b, string(bytes.Repeat([]byte("x"), 4000)))
	for b.Loop() {
		_, _ = c.Decode([]*commonpb.Payload{one(b, c.Encode, in)})
	}
}
