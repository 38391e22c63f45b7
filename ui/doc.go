// Package ui is the screen: the one tea.Model, and what turns keys into intents and effects into commands. Its one rule:
// nothing here waits. The model is told of news by the pump, draws when something has changed and at no other time, and
// leaves everything that takes longer than a frame to others.
package ui
