/** Raw updates for tests, with only what matters in them said. */
export const userOf = (id: number, more: object = {}) => ({
  id,
  is_bot: false,
  first_name: `User ${id}`,
  ...more
})

export const messageUpdate = (update: number, fields: object = {}, user = 7) => ({
  update_id: update,
  message: {
    message_id: update,
    date: 1_700_000_000 + update,
    chat: { id: user, type: "private", first_name: `User ${user}` },
    from: userOf(user),
    text: `text ${update}`,
    ...fields
  }
})
