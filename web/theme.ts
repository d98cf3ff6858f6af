import { Anchor, type CSSVariablesResolver, createTheme, InputWrapper, type MantineColorsTuple } from '@mantine/core';

/** The brand's colour: a deep teal whose sixth to tenth shades read well on white, and the second to fourth on black. */
const brand: MantineColorsTuple = [
  '#e6f7f9',
  '#cfebef',
  '#9fd6de',
  '#6bc0cd',
  '#3aa7b6',
  '#1d8fa0',
  '#0f7787',
  '#0b6473',
  '#08525f',
  '#053d47',
];

export const theme = createTheme({
  primaryColor: 'brand',
  colors: { brand },
  primaryShade: { light: 7, dark: 6 },
  autoContrast: true,
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  headings: { fontWeight: '650' },
  respectReducedMotion: true,
  components: {
    Anchor: Anchor.extend({ defaultProps: { inherit: true } }),
    // Nearly every field is required: those that are not say `optional`, and no asterisk is read out.
    InputWrapper: InputWrapper.extend({ defaultProps: { withAsterisk: false } }),
  },
});

/** The library's greys and reds for text are too pale for WCAG 2.2 AA (4.5:1); these are not. */
export const contrast: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#4b5560',
    '--mantine-color-error': '#b42318',
    '--mantine-color-placeholder': '#5f6b76',
    '--mantine-color-anchor': 'var(--mantine-color-brand-7)',
  },
  dark: {
    '--mantine-color-dimmed': '#b4bcc4',
    '--mantine-color-error': '#ff9b90',
    '--mantine-color-placeholder': '#9aa4ae',
    '--mantine-color-anchor': 'var(--mantine-color-brand-3)',
  },
});
