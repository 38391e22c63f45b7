package themes

// The colours of the built-in themes; the tests compute their contrast. 256 colours are chosen by hand where the nearest
// one could not be read.

// dark is for dark terminals.
var dark = variant{
	tokens: [Tokens]paint{
		Text:    {fg: "#d6dce3", x256: "39", x16: "", mono: ""},
		Muted:   {fg: "#a3adb8", x256: "38;5;145", x16: "2", mono: "2"},
		Border:  {fg: "#7a8591", x256: "38;5;102", x16: "2", mono: "2"},
		Focus:   {fg: "#5fafe6", x256: "38;5;75", x16: "36", mono: "1"},
		OK:      {fg: "#a9f7c1", x256: "38;5;158", x16: "32", mono: ""},
		Warn:    {fg: "#eed123", x256: "38;5;220", x16: "33", mono: ""},
		Bad:     {fg: "#f8786f", x256: "38;5;210", x16: "1;31", mono: "1"},
		Bar:     {fg: "#5b7791", x256: "38;5;67", x16: "2", mono: ""},
		Spark:   {fg: "#7891a8", x256: "38;5;109", x16: "2", mono: ""},
		Ask:     {fg: "#0b1219", bg: "#5fafe6", x256: "38;5;16;48;5;75", x16: "7;36", mono: "7"},
		Caution: {fg: "#1a1400", bg: "#e0b400", x256: "38;5;16;48;5;178", x16: "7;33", mono: "7"},
		Danger:  {fg: "#ffffff", bg: "#b3261e", x256: "38;5;231;48;5;124", x16: "1;7;31", mono: "1;7"},
		Protect: {fg: "#ffffff", bg: "#8a1f6e", x256: "38;5;231;48;5;89", x16: "7;35", mono: "1;7"},
		Done:    {fg: "#0b1219", bg: "#a9f7c1", x256: "38;5;16;48;5;158", x16: "7;32", mono: "7"},
	},
	grounds: [Grounds]ground{
		CursorBg:  {bg: "#23384f", x256: "48;5;237", x16: "7", mono: "7"},
		BlurBg:    {bg: "#20262d", x256: "48;5;235", x16: "", mono: ""},
		InputBg:   {bg: "#2b3540", x256: "48;5;238", x16: "4", mono: "4"},
		ChangedBg: {bg: "#3b3512", x256: "48;5;58", x16: "1", mono: "1"},
	},
}

// light is for light terminals.
var light = variant{
	tokens: [Tokens]paint{
		Text:    {fg: "#1c2127", x256: "39", x16: "", mono: ""},
		Muted:   {fg: "#535c66", x256: "38;5;240", x16: "2", mono: "2"},
		Border:  {fg: "#76808a", x256: "38;5;243", x16: "2", mono: "2"},
		Focus:   {fg: "#2866ad", x256: "38;5;25", x16: "34", mono: "1"},
		OK:      {fg: "#10594a", x256: "38;5;23", x16: "32", mono: ""},
		Warn:    {fg: "#6b5c00", x256: "38;5;58", x16: "1", mono: ""},
		Bad:     {fg: "#c80d5c", x256: "38;5;125", x16: "1;31", mono: "1"},
		Bar:     {fg: "#7590ac", x256: "38;5;67", x16: "2", mono: ""},
		Spark:   {fg: "#64809c", x256: "38;5;66", x16: "2", mono: ""},
		Ask:     {fg: "#ffffff", bg: "#2b69b0", x256: "38;5;231;48;5;25", x16: "7;34", mono: "7"},
		Caution: {fg: "#1a1400", bg: "#f2c200", x256: "38;5;16;48;5;220", x16: "7;33", mono: "7"},
		Danger:  {fg: "#ffffff", bg: "#b3261e", x256: "38;5;231;48;5;124", x16: "1;7;31", mono: "1;7"},
		Protect: {fg: "#ffffff", bg: "#8a1f6e", x256: "38;5;231;48;5;89", x16: "7;35", mono: "1;7"},
		Done:    {fg: "#ffffff", bg: "#10594a", x256: "38;5;231;48;5;23", x16: "7;32", mono: "7"},
	},
	grounds: [Grounds]ground{
		CursorBg:  {bg: "#d9e8f8", x256: "48;5;189", x16: "7", mono: "7"},
		BlurBg:    {bg: "#eef1f4", x256: "48;5;255", x16: "", mono: ""},
		InputBg:   {bg: "#e4e9ee", x256: "48;5;254", x16: "4", mono: "4"},
		ChangedBg: {bg: "#fff3b0", x256: "48;5;229", x16: "1", mono: "1"},
	},
}

// contrast is for bright rooms and tired eyes, on black; contrastLight is the same on white.
var contrast = variant{
	tokens: [Tokens]paint{
		Text:    {fg: "#ffffff", x256: "", x16: "", mono: ""},
		Muted:   {fg: "#d0d0d0", x256: "", x16: "2", mono: "2"},
		Border:  {fg: "#a8a8a8", x256: "", x16: "2", mono: "2"},
		Focus:   {fg: "#62c4ff", x256: "", x16: "36", mono: "1"},
		OK:      {fg: "#a8ffce", x256: "", x16: "32", mono: ""},
		Warn:    {fg: "#ffd800", x256: "", x16: "33", mono: ""},
		Bad:     {fg: "#ff958c", x256: "", x16: "1;31", mono: "1"},
		Bar:     {fg: "#8fb4d6", x256: "", x16: "2", mono: ""},
		Spark:   {fg: "#b8d0e6", x256: "", x16: "2", mono: ""},
		Ask:     {fg: "#000000", bg: "#62c4ff", x256: "", x16: "7;36", mono: "7"},
		Caution: {fg: "#000000", bg: "#ffd800", x256: "", x16: "7;33", mono: "7"},
		Danger:  {fg: "#ffffff", bg: "#9c0b00", x256: "", x16: "1;7;31", mono: "1;7"},
		Protect: {fg: "#ffffff", bg: "#7a005e", x256: "", x16: "7;35", mono: "1;7"},
		Done:    {fg: "#000000", bg: "#a8ffce", x256: "", x16: "7;32", mono: "7"},
	},
	grounds: [Grounds]ground{
		CursorBg:  {bg: "#00294d", x256: "", x16: "7", mono: "7"},
		BlurBg:    {bg: "#2a2a2a", x256: "", x16: "", mono: ""},
		InputBg:   {bg: "#333333", x256: "", x16: "4", mono: "4"},
		ChangedBg: {bg: "#4a4200", x256: "", x16: "1", mono: "1"},
	},
}

var contrastLight = variant{
	tokens: [Tokens]paint{
		Text:    {fg: "#000000", x256: "", x16: "", mono: ""},
		Muted:   {fg: "#3d444d", x256: "", x16: "2", mono: "2"},
		Border:  {fg: "#50575f", x256: "", x16: "2", mono: "2"},
		Focus:   {fg: "#0a3f8f", x256: "", x16: "34", mono: "1"},
		OK:      {fg: "#003d33", x256: "", x16: "32", mono: ""},
		Warn:    {fg: "#4a3f00", x256: "", x16: "1", mono: ""},
		Bad:     {fg: "#9c0040", x256: "", x16: "1;31", mono: "1"},
		Bar:     {fg: "#3f5a78", x256: "38;5;24", x16: "2", mono: ""},
		Spark:   {fg: "#3a5673", x256: "38;5;24", x16: "2", mono: ""},
		Ask:     {fg: "#ffffff", bg: "#0a3f8f", x256: "", x16: "7;34", mono: "7"},
		Caution: {fg: "#000000", bg: "#ffd800", x256: "", x16: "7;33", mono: "7"},
		Danger:  {fg: "#ffffff", bg: "#9c0b00", x256: "", x16: "1;7;31", mono: "1;7"},
		Protect: {fg: "#ffffff", bg: "#7a005e", x256: "", x16: "7;35", mono: "1;7"},
		Done:    {fg: "#ffffff", bg: "#003d33", x256: "", x16: "7;32", mono: "7"},
	},
	grounds: [Grounds]ground{
		CursorBg:  {bg: "#cfe3fa", x256: "", x16: "7", mono: "7"},
		BlurBg:    {bg: "#e6e6e6", x256: "", x16: "", mono: ""},
		InputBg:   {bg: "#e0e0e0", x256: "", x16: "4", mono: "4"},
		ChangedBg: {bg: "#fff0a0", x256: "", x16: "1", mono: "1"},
	},
}

// nord is for the Nord palette.
var nord = variant{
	tokens: [Tokens]paint{
		Text:    {fg: "#e5e9f0", x256: "", x16: "", mono: ""},
		Muted:   {fg: "#b9c3d3", x256: "", x16: "2", mono: "2"},
		Border:  {fg: "#8a96ab", x256: "", x16: "2", mono: "2"},
		Focus:   {fg: "#84b6e8", x256: "38;5;117", x16: "36", mono: "1"},
		OK:      {fg: "#b7ead6", x256: "", x16: "32", mono: ""},
		Warn:    {fg: "#f0cf6e", x256: "", x16: "33", mono: ""},
		Bad:     {fg: "#f2979f", x256: "", x16: "1;31", mono: "1"},
		Bar:     {fg: "#6f8ba8", x256: "", x16: "2", mono: ""},
		Spark:   {fg: "#81a1c1", x256: "", x16: "2", mono: ""},
		Ask:     {fg: "#2e3440", bg: "#88c0d0", x256: "38;5;16;48;5;110", x16: "7;36", mono: "7"},
		Caution: {fg: "#2e3440", bg: "#ebcb8b", x256: "", x16: "7;33", mono: "7"},
		Danger:  {fg: "#ffffff", bg: "#9d3a45", x256: "", x16: "1;7;31", mono: "1;7"},
		Protect: {fg: "#ffffff", bg: "#7a4677", x256: "", x16: "7;35", mono: "1;7"},
		Done:    {fg: "#2e3440", bg: "#b7ead6", x256: "", x16: "7;32", mono: "7"},
	},
	grounds: [Grounds]ground{
		CursorBg:  {bg: "#3b4252", x256: "", x16: "7", mono: "7"},
		BlurBg:    {bg: "#353c4a", x256: "", x16: "", mono: ""},
		InputBg:   {bg: "#434c5e", x256: "", x16: "4", mono: "4"},
		ChangedBg: {bg: "#4c4a3a", x256: "", x16: "1", mono: "1"},
	},
}

// solarizedDark is for Solarized on its dark ground.
var solarizedDark = variant{
	tokens: [Tokens]paint{
		Text:    {fg: "#b3bfbf", x256: "", x16: "", mono: ""},
		Muted:   {fg: "#9aa8a8", x256: "", x16: "2", mono: "2"},
		Border:  {fg: "#6f858c", x256: "", x16: "2", mono: "2"},
		Focus:   {fg: "#55aef0", x256: "", x16: "36", mono: "1"},
		OK:      {fg: "#8fe6d8", x256: "", x16: "32", mono: ""},
		Warn:    {fg: "#dcb128", x256: "", x16: "33", mono: ""},
		Bad:     {fg: "#ff7b72", x256: "", x16: "1;31", mono: "1"},
		Bar:     {fg: "#3f7d94", x256: "", x16: "2", mono: ""},
		Spark:   {fg: "#5f97ab", x256: "", x16: "2", mono: ""},
		Ask:     {fg: "#002b36", bg: "#55aef0", x256: "", x16: "7;36", mono: "7"},
		Caution: {fg: "#002b36", bg: "#dcb128", x256: "", x16: "7;33", mono: "7"},
		Danger:  {fg: "#ffffff", bg: "#b3261e", x256: "", x16: "1;7;31", mono: "1;7"},
		Protect: {fg: "#ffffff", bg: "#8a2a6c", x256: "", x16: "7;35", mono: "1;7"},
		Done:    {fg: "#002b36", bg: "#8fe6d8", x256: "", x16: "7;32", mono: "7"},
	},
	grounds: [Grounds]ground{
		CursorBg:  {bg: "#063c4a", x256: "48;5;236", x16: "7", mono: "7"},
		BlurBg:    {bg: "#073642", x256: "48;5;235", x16: "", mono: ""},
		InputBg:   {bg: "#0b4454", x256: "48;5;237", x16: "4", mono: "4"},
		ChangedBg: {bg: "#3a3a10", x256: "", x16: "1", mono: "1"},
	},
}

// solarizedLight is for Solarized on its light ground.
var solarizedLight = variant{
	tokens: [Tokens]paint{
		Text:    {fg: "#2a3d44", x256: "", x16: "", mono: ""},
		Muted:   {fg: "#52666e", x256: "", x16: "2", mono: "2"},
		Border:  {fg: "#7a8889", x256: "", x16: "2", mono: "2"},
		Focus:   {fg: "#1f6bb0", x256: "", x16: "34", mono: "1"},
		OK:      {fg: "#00574c", x256: "", x16: "32", mono: ""},
		Warn:    {fg: "#6e5a00", x256: "", x16: "1", mono: ""},
		Bad:     {fg: "#cc1360", x256: "38;5;125", x16: "1;31", mono: "1"},
		Bar:     {fg: "#76929d", x256: "", x16: "2", mono: ""},
		Spark:   {fg: "#64848f", x256: "", x16: "2", mono: ""},
		Ask:     {fg: "#ffffff", bg: "#1f6bb0", x256: "", x16: "7;34", mono: "7"},
		Caution: {fg: "#1a1400", bg: "#e3b100", x256: "", x16: "7;33", mono: "7"},
		Danger:  {fg: "#ffffff", bg: "#b3261e", x256: "", x16: "1;7;31", mono: "1;7"},
		Protect: {fg: "#ffffff", bg: "#8a2a6c", x256: "", x16: "7;35", mono: "1;7"},
		Done:    {fg: "#ffffff", bg: "#00574c", x256: "", x16: "7;32", mono: "7"},
	},
	grounds: [Grounds]ground{
		CursorBg:  {bg: "#ebeddf", x256: "", x16: "7", mono: "7"},
		BlurBg:    {bg: "#eee8d5", x256: "", x16: "", mono: ""},
		InputBg:   {bg: "#eee8d5", x256: "", x16: "4", mono: "4"},
		ChangedBg: {bg: "#f3e2a0", x256: "", x16: "1", mono: "1"},
	},
}
