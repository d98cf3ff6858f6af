import { PasswordInput, type PasswordInputProps, TextInput, type TextInputProps } from '@mantine/core';

/** The address that an account is known by. Takes what `form.getInputProps` gives. */
export function EmailField(props: TextInputProps) {
  return <TextInput label="E-mail address" type="email" autoComplete="username" required {...props} />;
}

/** A password that is chosen; the server says which are too common. */
export function NewPasswordField(props: PasswordInputProps) {
  return (
    <PasswordInput
      label="New password"
      description="12 to 128 characters"
      autoComplete="new-password"
      minLength={12}
      required
      {...props}
    />
  );
}
