# hsm
