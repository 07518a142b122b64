package integrations

import "log/slog"

const redacted = "[redacted]"

// Secret is a string that prints as "[redacted]" wherever it is formatted,
// logged or marshalled. Reveal is the only way to the value.
type Secret string

func (Secret) String() string                  { return redacted }
func (Secret) GoString() string                { return redacted }
func (Secret) MarshalText() ([]byte, error)    { return []byte(redacted), nil }
func (Secret) LogValue() slog.Value            { return slog.StringValue(redacted) }
func (s Secret) Reveal() string                { return string(s) }
func (s Secret) Empty() bool                   { return s == "" }
func (s *Secret) UnmarshalText(b []byte) error { *s = Secret(b); return nil }
